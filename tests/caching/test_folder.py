from collections import namedtuple

import pytest
from small_cache import TREE, build, cache, classifier, write_entry

from xray.caching.entry import Entry, list_entries
from xray.caching.folder import CacheFolder, CacheUnusableError, format_size

MIB = 2**20
OLD, OLDER, OLDEST, NEW = (f"val_{digit * 16}" for digit in "abcd")


@pytest.fixture
def folder(tmp_path):
    """Three entries of 1 MiB each."""
    for used, name in ((3e8, OLD), (2e8, OLDER), (1e8, OLDEST)):
        write_entry(tmp_path, name, used=used)
    (tmp_path / "notes.json").write_text("mine")
    (tmp_path / "val_mine.npy").write_text("mine")
    return tmp_path


def names(folder):
    return {entry.name for entry in list_entries(folder)}


def test_least_recently_used_entry_is_evicted(folder, caplog):
    with caplog.at_level("INFO"):
        held = CacheFolder(folder, 3.5 / 1024).reserve({NEW: MIB})
    assert names(folder) == {OLD, OLDER, NEW}
    assert f"removed {OLDEST} (least recently used) to make room for 1.0 MiB" in caplog.text
    del held
    # The new entry counts with its final size before anything is written.
    CacheFolder(folder, 3.5 / 1024).reserve({OLDEST: MIB})
    assert names(folder) == {OLD, NEW, OLDEST}
    assert {path.name for path in folder.iterdir()} >= {"notes.json", "val_mine.npy"}


def test_nothing_is_removed_if_it_would_not_suffice(folder):
    held = CacheFolder(folder, 1).reserve({OLDEST: MIB})
    with pytest.raises(
        CacheUnusableError, match=r"2\.5 MiB, but running processes use 1\.0 MiB of "
    ) as error:
        CacheFolder(folder, 3 / 1024).reserve({NEW: 5 * MIB // 2})
    assert error.value.room == pytest.approx(2 * MIB, abs=1000)
    assert names(folder) == {OLD, OLDER, OLDEST}
    del held


def test_existing_entries_need_no_room(folder):
    CacheFolder(folder, 3.1 / 1024).reserve({OLD: MIB, OLDEST: MIB})
    assert names(folder) == {OLD, OLDER, OLDEST}


def test_full_disk_is_reported_before_the_fill(folder, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(MIB // 2))
    with pytest.raises(
        CacheUnusableError, match=r"it needs 9\.0 MiB, but 0\.5 MiB of the disk are free"
    ):
        CacheFolder(folder, 1).reserve({NEW: 9 * MIB})
    assert names(folder) == {OLD, OLDER, OLDEST}
    CacheFolder(folder, 1).reserve({NEW: MIB + MIB // 4})
    assert names(folder) == {OLD, OLDER, NEW}


def test_sizes_are_formatted_in_mib_or_gib():
    assert (format_size(3 * 2**30), format_size(2**20)) == ("3.0 GiB", "1.0 MiB")


def test_entry_without_files_has_no_size_and_age(tmp_path):
    entry = Entry(tmp_path / "nowhere", OLD)
    assert (entry.size, entry.used, entry.made, entry.complete) == (0, 0.0, 0.0, False)
    assert list_entries(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("trainable", "pooling", "max_mb", "views", "fits"),
    [
        # 24 images at 32 px in float32; behind block4 8 KB each, behind block5 2 KB.
        ("block5", "avg", 0.1, 1, "these would fit: model.trainable=head (0.0 MiB)"),
        (
            "block5",
            "avg",
            0.25,
            4,
            "these would fit: model.trainable=head (0.1 MiB), cache.views=1",
        ),
        ("head", "avg", 0.01, 1, "no other setting would fit"),
    ],
)
def test_settings_that_would_fit_are_suggested(
    tmp_path, make_tree, transforms, caplog, trainable, pooling, max_mb, views, fits
):
    data = build(make_tree(TREE), transforms)
    model = classifier(trainable, pooling)
    cache(tmp_path / "cache", max_gb=max_mb / 1024, views=views).attach(model, data)
    assert data.features == {}
    assert f"cache.max_gb is {max_mb / 1024:g}; {fits}" in caplog.text


def test_staged_run_is_advised_to_drop_unfreezing(tmp_path, make_tree, transforms, caplog):
    data, model = build(make_tree(TREE), transforms), classifier("block5")
    model.unfreezing = {"epoch": 1, "trainable": "block4"}
    cache(tmp_path / "cache", max_gb=0.1 / 1024, views=1).attach(model, data)
    assert "model.trainable=head model.unfreeze=null (" in caplog.text
