import errno
from contextlib import closing

import numpy as np
import pytest
import torch
from made_images import write_image

from xray.caching.activations import FeatureDataset
from xray.caching.entry import Entry
from xray.caching.folder import CacheUnusableError
from xray.caching.key import Plan
from xray.caching.part import Part
from xray.caching.record import open_checked
from xray.data.datamodule import XrayDataModule


def plan(shape, dtype=torch.float32, **description):
    return Plan("val", shape, dtype, {"cut": 5, "pooled": False, **description})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("row", [(2, 3, 4), (5,)])
def test_values_are_read_back_bit_for_bit(tmp_path, dtype, row):
    entry = Entry(tmp_path, "val_0123456789abcdef")
    shape = (1, 3, *row[1:], row[0]) if len(row) == 3 else (1, 3, *row)
    values = torch.randn(3, *row).to(dtype)
    part = Part(entry, plan(shape, dtype), block=2)
    part.write(0, values[:2])
    part.write(1, values[2:])
    assert open_checked(entry) == (None, "")
    part.finish()
    array, wrong = open_checked(entry, {"cut": 5, "pooled": False})
    assert wrong == ""
    bits = torch.from_numpy(np.array(array[0]))
    read = bits.view(dtype) if dtype == torch.bfloat16 else bits
    assert torch.equal(read.movedim(-1, 1) if len(row) == 3 else read, values)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{entry.name}.json", f"{entry.name}.npy"]


def test_block_counts_only_if_its_checksum_is_correct(tmp_path):
    entry, what = Entry(tmp_path, "val_0123456789abcdef"), plan((1, 7, 2))
    values = torch.arange(14.0).reshape(7, 2)
    part = Part(entry, what, block=2)
    for number in (0, 1, 3):
        part.write(number, values[number * 2 : number * 2 + 2])
    part.close()
    assert part.missing() == [2]
    with entry.journal.open("a") as file:
        file.write(
            "2 1234567890\n5 7\n2 99"
        )  # A block that does not exist, and an incomplete line.
    with entry.part.open("r+b") as file:
        file.seek(-2, 2)
        file.write(b"\xff")
    again = Part(entry, what, block=2)
    assert again.missing() == [2, 3]
    assert again.span(3) == (6, 7)
    again.write(2, values[4:6])
    again.write(3, values[6:])
    again.finish()
    assert open_checked(entry)[0][0].tolist() == values.tolist()


@pytest.mark.parametrize(
    "other", [{"what": plan((1, 7, 2), cut=4)}, {"block": 3}, {"what": plan((1, 8, 2))}]
)
def test_part_of_another_plan_is_discarded(tmp_path, other):
    entry = Entry(tmp_path, "val_0123456789abcdef")
    part = Part(entry, plan((1, 7, 2)), block=2)
    part.write(0, torch.ones(2, 2))
    part.close()
    new = Part(entry, other.get("what", plan((1, 7, 2))), other.get("block", 2))
    new.close()
    assert new.done == {}
    assert len(new.missing()) == (3 if "block" in other else 4)


def test_kill_between_record_and_rename_loses_nothing(tmp_path):
    entry, what = Entry(tmp_path, "val_0123456789abcdef"), plan((1, 3, 2))
    part = Part(entry, what, block=2)
    part.write(0, torch.ones(2, 2))
    part.write(1, torch.ones(1, 2))
    part.close()
    entry.record.write_text("{}")
    assert open_checked(entry) == (None, "")
    again = Part(entry, what, block=2)
    assert again.missing() == []
    again.finish()
    assert open_checked(entry, what.description)[0].tolist() == [[[1, 1]] * 3]


@pytest.mark.parametrize("content", ["", "{", '{"block": 2}\n', "x\n0 1\n"])
def test_unreadable_journal_is_discarded(tmp_path, content):
    entry = Entry(tmp_path, "val_0123456789abcdef")
    part = Part(entry, plan((1, 7, 2)), block=2)
    part.write(0, torch.ones(2, 2))
    part.close()
    entry.journal.write_text(content)
    with closing(Part(entry, plan((1, 7, 2)), block=2)) as part:
        assert part.done == {}


def test_large_entry_is_checked_in_blocks_spread_over_it(tmp_path, monkeypatch):
    entry = Entry(tmp_path, "val_0123456789abcdef")
    part = Part(entry, plan((1, 100, 2)), block=1)
    for number in range(100):
        part.write(number, torch.full((1, 2), float(number)))
    part.finish()
    seen = []
    crc = open_checked.__globals__["checksum"]
    monkeypatch.setattr("xray.caching.record.checksum", lambda b: seen.append(b[0, 0]) or crc(b))
    monkeypatch.setattr("xray.caching.record.CHECKED_BYTES", 80)
    assert open_checked(entry)[1] == ""
    assert seen == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99]


def test_epochs_cycle_through_the_views(tmp_path, transforms):
    for i in range(4):
        for k, split in enumerate(("train", "test")):
            for label in ("normal", "covid"):
                path = tmp_path / "set" / split / label / f"patient{k}{i:03d}_0.png"
                write_image(path, seed=100 * k + 10 * i + len(label))
    data = XrayDataModule(
        tmp_path / "set", {"normal": [], "covid": []}, transforms, size=32, workers=0
    )
    split = data.dataset("test")
    array = np.arange(16, dtype=np.float32).reshape(2, 8, 1, 1, 1)
    dataset = FeatureDataset(split, array, torch.float32)
    batch = dataset.__getitems__([(0, 5), (1, 5), (2, 0), 7])
    assert batch["features"].flatten().tolist() == [5.0, 13.0, 0.0, 7.0]
    assert batch["features"].shape == (4, 1, 1, 1)
    assert batch["index"].tolist() == [5, 5, 0, 7]
    assert batch["target"].tolist() == [split.samples[i].target for i in (5, 5, 0, 7)]
    assert len(dataset) == 8


def test_part_of_the_wrong_size_is_discarded(tmp_path):
    entry = Entry(tmp_path, "val_0123456789abcdef")
    part = Part(entry, plan((1, 7, 2)), block=2)
    part.write(0, torch.ones(2, 2))
    part.close()
    entry.part.write_bytes(entry.part.read_bytes()[:5])
    with closing(Part(entry, plan((1, 7, 2)), block=2)) as again:
        assert again.done == {}
    assert entry.size == 128 + 7 * 2 * 4


def test_file_that_cannot_be_written_is_named(tmp_path):
    entry = Entry(tmp_path, "val_0123456789abcdef")
    entry.part.mkdir()
    with pytest.raises(CacheUnusableError, match=r"\.part cannot be written"):
        Part(entry, plan((1, 7, 2)), block=2)


def test_full_disk_removes_the_part(tmp_path, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    entry = Entry(tmp_path, "val_0123456789abcdef")
    part = Part(entry, plan((1, 7, 2)), block=2)
    monkeypatch.setattr("os.fsync", fsync)
    monkeypatch.setattr("xray.caching.part.FLUSH_SECONDS", 0)
    with pytest.raises(CacheUnusableError, match=f"the disk of {tmp_path} is full"):
        part.write(0, torch.ones(2, 2))
    part.close()
    assert list(tmp_path.iterdir()) == []
