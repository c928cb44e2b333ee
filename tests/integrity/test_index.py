import hashlib
import os

import cv2
import numpy as np
import pytest
from made_images import write_image

from xray.integrity import index as module
from xray.integrity.fingerprint import fingerprint
from xray.integrity.index import index_files


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that were read."""
    seen = []

    def spy(path):
        seen.append(path.name)
        return fingerprint(path)

    monkeypatch.setattr(module, "fingerprint", spy)
    return seen


def test_fingerprint_of_a_file(tmp_path):
    path = write_image(tmp_path / "a.png", size=128)
    found = fingerprint(path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.width, found.height, found.bits, found.jpeg_quality) == (128, 128, 8, 0)
    assert found.format == "PNG"
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(float)
    means = pixels.reshape(64, 2, 64, 2).mean(axis=(1, 3))
    assert np.abs(found.thumbnail - means).max() <= 0.5


def test_notes_of_the_reader_are_part_of_the_fingerprint(tmp_path):
    pixels = np.linspace(100, 900, 64 * 64).astype(np.uint16).reshape(64, 64)
    pixels[30, 30] = 65535
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    note = fingerprint(tmp_path / "a.png").note
    assert note.startswith("1 outlier pixel was clipped")
    assert index_files([tmp_path / "a.png"]).rows["note"].tolist() == [note]


def test_files_are_read_once_and_again_when_they_change(tmp_path, reads):
    paths = [write_image(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    store = tmp_path / "store" / "prints.npz"
    first = index_files(paths, store)
    assert sorted(reads) == ["0.png", "1.png", "2.png"]
    again = index_files(paths, store)
    assert len(reads) == 3
    assert (again.rows == first.rows).all()
    assert again.digest == first.digest
    write_image(paths[1], seed=7)
    os.utime(paths[1], ns=(1, 1))
    changed = index_files(paths, store)
    assert reads[3:] == ["1.png"]
    assert changed.digest != first.digest
    assert changed.rows["sha256"][1] != first.rows["sha256"][1]
    assert (changed.rows[[0, 2]] == first.rows[[0, 2]]).all()


def test_bad_files_are_listed_and_read_again(tmp_path, reads):
    paths = [write_image(tmp_path / "good.png"), tmp_path / "bad.png", tmp_path / "gone.png"]
    paths[1].write_bytes(b"")
    for _ in range(2):
        index = index_files(paths, tmp_path / "prints.npz")
        assert index.usable().tolist() == [0]
        assert {i: error.path for i, error in index.problems.items()} == {1: paths[1], 2: paths[2]}
    assert reads.count("good.png") == 1
    assert reads.count("bad.png") == 2


def test_store_of_an_older_version_is_read_again(tmp_path, reads):
    paths = [write_image(tmp_path / "a.png")]
    store = tmp_path / "prints.npz"
    index_files(paths, store)
    with np.load(store) as saved:
        names, rows = saved["names"], saved["rows"]
    older = np.zeros(len(rows), [*rows.dtype.descr, ("phash", np.uint64)])
    np.savez(store, names=names, rows=older)
    assert index_files(paths, store).usable().tolist() == [0]
    assert reads == ["a.png", "a.png"]


def test_damaged_or_unwritable_store_is_replaced(tmp_path, caplog):
    paths = [write_image(tmp_path / "a.png")]
    store = tmp_path / "prints.npz"
    index_files(paths, store)
    store.write_bytes(store.read_bytes()[:100])
    assert index_files(paths, store).usable().tolist() == [0]
    assert "is damaged" in caplog.text
    assert index_files(paths, paths[0] / "prints.npz").usable().tolist() == [0]
    assert "cannot be written" in caplog.text
    assert not list(tmp_path.glob(".*.part"))


def test_name_that_is_not_valid_text(tmp_path):
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    paths = [write_image(tmp_path / "a.png"), write_image(tmp_path / name, seed=1)]
    store = tmp_path / "prints.npz"
    first = index_files(paths, store)
    assert first.usable().tolist() == [0, 1]
    assert index_files(paths, store).digest == first.digest
