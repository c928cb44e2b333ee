"""`python -m xray.cache` through its real entry point and configuration."""

import json
import os
import subprocess
import sys

import pytest
import torch
from small_cache import write_entry

from xray import cache
from xray.caching.entry import Entry, list_entries
from xray.caching.folder import CacheFolder
from xray.caching.key import Plan
from xray.caching.part import Part

TRAIN, VAL, TEST = (f"{split}_{'ab' * 8}" for split in ("train", "val", "test"))


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TZ", "UTC")

    def run(*arguments: str) -> tuple[int, str]:
        argv = ["cache", f"paths.outputs={tmp_path / 'outputs'}", *arguments]
        monkeypatch.setattr(sys, "argv", argv)
        status = 0
        try:
            cache.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        return status, "".join(capsys.readouterr())

    return run


@pytest.fixture
def folder(tmp_path):
    """A folder with a finished entry, one of older package versions, and an interrupted one."""
    folder = tmp_path / "outputs" / "cache" / "features"
    write_entry(folder, TRAIN, used=1_700_000_000)
    write_entry(folder, TEST, rows=512, cut=4, pooled=False, versions={"torch": "1.0"})
    plan = Plan("val", (1, 4, 2), torch.float32, {"network": "resnet50", "cut": 3, "pooled": False})
    part = Part(Entry(folder, VAL), plan, block=2)
    part.write(0, torch.ones(2, 2))
    part.close()
    return folder


def names(folder):
    return {entry.name for entry in list_entries(folder)}


def test_entries_are_listed_last_used_first(call, folder):
    status, text = call()
    assert status == 0
    assert f"{folder}: 3 entries, 1.5 MiB" in text
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in text.splitlines()
        if "_ab" in line
    ]
    assert [row[0] for row in rows] == [VAL, TRAIN, TEST]
    assert rows[0][1:5] == ["val", "resnet50", "block 3", "0.0 MiB"]
    assert rows[0][-1] == "partial"
    assert rows[1][1:5] == ["train", "vgg16", "block 5, pooled", "1.0 MiB"]
    assert rows[1][5:] == ["2023-11-14 22:13"] * 2 + ["complete"]
    assert rows[2][3] == "block 4"


def test_pixels_are_listed_and_cleared_like_activations(call, folder):
    name = f"pixels_{VAL}"
    write_entry(folder, name, size=224)
    stale = write_entry(folder, f"pixels_{TEST}", versions={"pillow": "1.0"})
    stale.record.write_text("{")
    status, text = call()
    assert status == 0
    rows = {
        cells[0]: cells[1:4]
        for line in text.splitlines()
        if "│ pixels_" in line
        for cells in [[cell.strip() for cell in line.split("│")[1:-1]]]
    }
    assert rows == {name: ["val", "", "pixels, 224"], stale.name: ["test", "", "pixels, ?"]}
    assert call("clear=stale")[0] == 0
    assert names(folder) == {TRAIN, name}
    assert call(f"clear={name}")[0] == 0
    assert names(folder) == {TRAIN}


def test_empty_cache(call):
    status, text = call("clear=all")
    assert status == 0
    assert "nothing to remove" in text
    assert "0 entries" in text


def test_unreadable_record_is_listed(call, folder):
    Entry(folder, TRAIN).record.write_text("[]")
    status, text = call()
    assert status == 0
    assert "?" in next(line for line in text.splitlines() if TRAIN in line)


def test_stale_entries_are_those_that_no_run_can_use(call, folder):
    other = write_entry(folder, "train_" + "cd" * 8)
    os.truncate(other.array, 1000)
    status, text = call("clear=stale")
    assert status == 0
    assert "removed 3 entries, 0.5 MiB" in text
    assert names(folder) == {TRAIN}
    assert {path.name for path in folder.iterdir()} == {".lock", f"{TRAIN}.npy", f"{TRAIN}.json"}


def test_entry_is_cleared_by_name(call, folder):
    assert call(f"clear={VAL}")[0] == 0
    assert names(folder) == {TRAIN, TEST}
    status, text = call(f"clear={TEST[:-1]}c")
    assert status == 1
    assert f"Did you mean '{TEST}'?" in text
    assert "has no such entry. List the entries with: python -m xray.cache" in call("clear=zzz")[1]
    assert names(folder) == {TRAIN, TEST}


def test_entry_in_use_is_not_removed(call, folder):
    held = CacheFolder(folder, 1).reserve({TRAIN: 1})
    status, text = call("clear=all")
    assert status == 0
    assert "removed 2 entries" in text
    assert f"not removed, in use by running processes: {TRAIN}" in text
    assert names(folder) == {TRAIN}
    del held
    call("clear=all")
    assert names(folder) == set()


def test_folder_that_cannot_be_cleared_is_named(call, folder, monkeypatch):
    def refuse(self, entries):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(CacheFolder, "clear", refuse)
    status, text = call("clear=all")
    assert status == 1
    assert f"error: {folder} cannot be cleared: Permission denied" in text


def test_wrong_key_is_rejected_and_help_is_shown(call, folder):
    status, text = call("claer=all")
    assert status == 1
    assert "Did you mean 'clear'?" in text
    assert names(folder) == {TRAIN, VAL, TEST}
    assert "clear=stale" in call("--help")[1]


@pytest.mark.slow
def test_listing_does_not_import_torch(tmp_path):
    code = (
        "import sys; sys.argv[1:] = ['dir=nowhere', 'paths.root=.']\n"
        "from xray.cache import main; main()\n"
        "import json; print(json.dumps(sorted({'torch', 'pytorch_lightning'} & {*sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
