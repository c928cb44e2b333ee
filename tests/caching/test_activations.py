import errno
import os
import threading
import time
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from filelock import FileLock
from small_cache import TREE, arrays, build, cache, classifier, damage_bytes, truncate

from xray.caching.entry import list_entries
from xray.caching.key import Plan
from xray.errors import ConfigError


@pytest.fixture
def data(make_tree, transforms):
    return build(make_tree(TREE), transforms)


@pytest.fixture(scope="module")
def model():
    return classifier("block5")


def test_cached_batches_equal_computed_ones(tmp_path, model, data):
    uncached = next(iter(data.val_dataloader()))
    cache(tmp_path / "cache").attach(model, data)
    cached = next(iter(data.val_dataloader()))
    assert torch.equal(cached["target"], uncached["target"])
    with torch.no_grad():
        assert torch.equal(cached["features"], model.to_cut(uncached["image"]))
    assert cached["features"].is_contiguous(memory_format=torch.channels_last)


def test_cached_views_equal_the_augmentations_of_their_epochs(tmp_path, model, data):
    cache(tmp_path / "cache").attach(model, data)
    features, pixels = data.features["train"], data.dataset("train")
    with torch.no_grad():
        for epoch in (0, 1):
            expected = model.to_cut(torch.stack([pixels.augmented(i, epoch) for i in range(8)]))
            got = features.__getitems__([(epoch, i) for i in range(8)])["features"]
            assert torch.allclose(got, expected, atol=1e-6)
            assert torch.equal(features.__getitems__([(epoch + 2, 3)])["features"][0], got[3])
    assert (features.array[0] != features.array[1]).any()


def test_second_run_computes_nothing_and_a_change_computes_again(
    tmp_path, model, make_tree, transforms
):
    def written():
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npy")}

    root, folder = make_tree(TREE), tmp_path / "cache"
    cache(folder).attach(model, build(root, transforms))
    before = written()
    os.utime(list_entries(folder)[0].record, (1, 1))
    cache(folder).attach(model, build(root, transforms))
    assert written() == before
    assert all(entry.used >= entry.made for entry in list_entries(folder))
    other = {**transforms, "train": transforms["train"][:2]}
    cache(folder).attach(model, build(root, other))
    assert {name.split("_")[0] for name in written().keys() - before.keys()} == {"train"}
    # The marks of earlier runs were removed: one mark for each entry of the last run.
    assert len(list(folder.glob(".val_*.use"))) == 1


def test_other_frozen_weights_are_another_entry(tmp_path, make_tree, transforms):
    root, model = make_tree(TREE), classifier("block2")
    with torch.no_grad():
        for name, count in (("block1", 1), ("block2", 2)):
            cache(tmp_path / "cache").attach(model, build(root, transforms), ["val"])
            assert len(arrays(tmp_path / "cache")) == count
            getattr(model.backbone, name)[0].bias += 1
        # block1 is below the cut, block2 is not.
        cache(tmp_path / "cache").attach(model, build(root, transforms), ["val"])
    assert len(arrays(tmp_path / "cache")) == 2


def test_other_precision_is_another_entry(tmp_path, model, data):
    # The last block of a ConvNeXt returns float32 in every precision.
    to_cut = model.to_cut
    model.to_cut = lambda image: to_cut(image).float()
    cache(tmp_path, views=1).attach(model, data, ("val",))
    data.serve_images()
    autocast = partial(torch.autocast, "cpu", torch.bfloat16)
    cache(tmp_path, views=1, context=autocast).attach(model, data, ("val",))
    assert len(arrays(tmp_path)) == 2


def test_other_seed_is_another_augmentation(tmp_path, model, make_tree, transforms):
    root, drawn = make_tree(TREE), []
    for seed in (0, 1):
        data = build(root, transforms, seed=seed)
        cache(tmp_path / "cache", views=1).attach(model, data)
        drawn.append(data.features["train"].array)
        assert data.features["val"].array.shape[0] == 1
    assert (drawn[0] != drawn[1]).any()
    assert len(list((tmp_path / "cache").glob("train_*.npy"))) == 2
    assert len(list((tmp_path / "cache").glob("val_*.npy"))) == 1


@pytest.mark.parametrize("training", [True, False])
def test_mode_of_the_model_is_restored(tmp_path, model, data, training):
    model.train(training)
    cache(tmp_path / "cache").attach(model, data)
    assert model.head.training is training
    model.eval()


def test_only_requested_splits_are_computed(tmp_path, model, data):
    cache(tmp_path / "cache").attach(model, data, ["train", "val"])
    assert list(data.features) == ["train", "val"]
    assert {name.split("_")[0] for name in arrays(tmp_path / "cache")} == {"train", "val"}


def test_without_augmentation_one_view_is_enough(tmp_path, model, make_tree, transforms):
    data = build(make_tree(TREE), {**transforms, "train": transforms["eval"]})
    cache(tmp_path / "cache").attach(model, data)
    assert data.features["train"].array.shape[0] == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"max_gb": 1e-9}, r"cache\.max_gb is 1e-09"), ({}, "no block of the backbone")],
)
def test_without_cache_auto_continues_and_only_fails(
    tmp_path, data, model, options, reason, monkeypatch, caplog
):
    if not options:
        monkeypatch.setattr(model, "cut", 0)
    with caplog.at_level("INFO"):
        cache(tmp_path, **options).attach(model, data)
    assert data.features == {}
    assert "train, val, test: no cache of frozen activations: " in caplog.text
    with pytest.raises(ConfigError, match=reason):
        cache(tmp_path, mode="only", **options).attach(model, data)


def test_model_without_a_cut_is_served_images(tmp_path, data, caplog):
    class Foreign(pl.LightningModule):
        pass

    with caplog.at_level("INFO"):
        cache(tmp_path / "cache").attach(Foreign(), data)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("train, val, test: no cache of frozen activations: Foreign has no cut,")
    assert data.features == {}
    assert "image" in next(iter(data.val_dataloader()))
    with pytest.raises(ConfigError, match="Foreign has no cut"):
        cache(tmp_path / "cache", mode="only").attach(Foreign(), data)


def test_other_data_module_serves_its_own_images(tmp_path, model, caplog):
    with caplog.at_level("INFO"):
        cache(tmp_path / "cache").attach(model, pl.LightningDataModule())
    (line,) = [record.getMessage() for record in caplog.records]
    assert "no cache of frozen activations: LightningDataModule has no features," in line


def test_key_of_an_entry_is_stable(transforms):
    """Entries of earlier versions stay valid: the key is a hash of the description."""
    plan = Plan("val", (1, 8, 4), torch.float32, {"cut": 4, "network": "vgg16"})
    assert plan.name == "val_" + sha256(b'{"cut": 4, "network": "vgg16"}').hexdigest()[:16]


def test_mode_off_never_caches(tmp_path, model, data):
    cache(tmp_path / "cache", mode="off").attach(model, data)
    assert data.features == {}
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_folder_that_cannot_be_created_is_named(tmp_path, model, data, place, caplog):
    (tmp_path / "file").write_text("mine")
    cache(tmp_path / place).attach(model, data)
    assert data.features == {}
    assert f"{tmp_path / place} cannot be written" in caplog.text
    assert "cache.dir=<folder>" in caplog.text
    with pytest.raises(ConfigError, match="cannot be written"):
        cache(tmp_path / place, mode="only").attach(model, data)
    assert (tmp_path / "file").read_text() == "mine"


def test_lock_that_cannot_be_acquired_is_named(tmp_path, model, data, caplog):
    cache(tmp_path / "cache").attach(model, data, ["val"])
    (entry,) = list_entries(tmp_path / "cache")
    entry.remove()
    entry.fill_lock.unlink()
    entry.fill_lock.mkdir()
    data.serve_images()
    cache(tmp_path / "cache").attach(model, data, ["val"])
    assert data.features == {}
    assert (
        f"val: no cache of frozen activations: {entry.fill_lock} cannot be written" in caplog.text
    )


def fill_the_disk_after(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sync, left = os.fsync, [calls]

    def fsync(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr("os.fsync", fsync)


@pytest.mark.parametrize("calls", [0, 2, 4])
def test_full_disk_keeps_finished_entries_only(tmp_path, model, data, monkeypatch, caplog, calls):
    # An entry is synchronized three times: array, journal, record.
    fill_the_disk_after(calls, monkeypatch)
    cache(tmp_path / "cache").attach(model, data)
    finished = ["train"][: calls // 3]
    assert list(data.features) == finished
    assert f"the disk of {tmp_path / 'cache'} is full" in caplog.text
    complete = [entry.name.split("_")[0] for entry in list_entries(tmp_path / "cache")
                if entry.complete]  # fmt: skip
    assert complete == finished
    # The parts of later splits are holes that take no space.
    blocks = [path.stat().st_blocks for path in (tmp_path / "cache").glob("*.part")]
    assert not any(blocks)
    fill_the_disk_after(calls, monkeypatch)
    with pytest.raises(ConfigError, match="is full"):
        cache(tmp_path / "cache", mode="only").attach(model, data)


def other_shape(path: Path) -> None:
    np.save(path, np.zeros((1, 2, 3), dtype=np.float32))


def other_record(path: Path) -> None:
    record = path.with_suffix(".json")
    record.write_text(record.read_text().replace('"network": "vgg16"', '"network": "vgg17"'))


def broken_record(path: Path) -> None:
    path.with_suffix(".json").write_text('{"description": ')


def no_blocks(path: Path) -> None:
    record = path.with_suffix(".json")
    record.write_text(record.read_text().replace('"block": 32', '"block": 0'))


def fewer_checksums(path: Path) -> None:
    record = path.with_suffix(".json")
    start, _, _ = record.read_text().partition('"crc": [')
    record.write_text(start + '"crc": []}')


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (damage_bytes, "is damaged: block 0 does not match its checksum"),
        (truncate, "cannot be read ("),
        (other_shape, "is (1, 2, 3) float32, but its record states (1, 8, 2, 2, 512)"),
        (other_record, "contains different activations than its name states"),
        (broken_record, "cannot be read ("),
        (no_blocks, "cannot be read ("),
        (fewer_checksums, "has 0 checksums for 1 blocks"),
    ],
)
def test_damaged_entry_is_never_used(tmp_path, model, data, harm, fault, caplog):
    cache(tmp_path / "cache").attach(model, data, ["val"])
    good = arrays(tmp_path / "cache")
    (path,) = (tmp_path / "cache").glob("val_*.npy")
    harm(path)
    cache(tmp_path / "cache").attach(model, data, ["val"])
    assert arrays(tmp_path / "cache") == good
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{path} {fault}")
    assert line.endswith(". It is computed again.")


def test_interrupted_fill_is_continued(tmp_path, model, data, monkeypatch, caplog):
    folder = tmp_path / "cache"
    monkeypatch.setattr("xray.caching.fill.BLOCK", 2)
    whole = cache(tmp_path / "whole")
    whole.attach(model, data, ["val"])
    left, compute = [2], model.to_cut

    def stop(image):
        if image.any():
            left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return compute(image)

    with monkeypatch.context() as patch:
        patch.setattr(model, "to_cut", stop)
        with pytest.raises(KeyboardInterrupt):
            cache(folder).attach(model, data, ["val"])
    assert arrays(folder) == {}
    (entry,) = list_entries(folder)
    assert not entry.complete
    with caplog.at_level("INFO"):
        cache(folder).attach(model, data, ["val"])
    assert "val: continuing an interrupted cache, 4 of 8 done" in caplog.text
    assert arrays(folder) == arrays(tmp_path / "whole")
    assert not entry.part.exists()
    assert not entry.journal.exists()


def test_second_process_waits_for_the_first(tmp_path, model, data, caplog):
    folder = tmp_path / "cache"
    cache(folder).attach(model, data, ["val"])
    (entry,) = list_entries(folder)
    entry.remove()
    held = threading.Event()
    waiting = "val: waiting for another process to compute activations"
    caplog.set_level("INFO")

    def other() -> None:
        # The lock is held until the other process is seen to wait.
        with FileLock(entry.fill_lock):
            held.set()
            deadline = time.monotonic() + 60
            while waiting not in caplog.text and time.monotonic() < deadline:
                time.sleep(0.01)
            assert not entry.complete

    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    cache(folder).attach(model, data, ["val"])
    thread.join()
    assert waiting in caplog.text
    assert entry.complete
