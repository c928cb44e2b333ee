"""The command `xray.audit`, and the treatment of its findings in training."""

import csv
import json
import shutil
import subprocess
import sys

import pytest
import torch
from bad_files import write_bad_files

from xray import audit, train
from xray.data.audit import audit as audit_images
from xray.data.datamodule import XrayDataModule
from xray.errors import DataError
from xray.types import SPLITS

TREE = {"train/Normal": 12, "train/Covid": 12, "test/Normal": 6, "test/COVID-19": 6}
GROUPS = {"normal": [], "pneumonia": ["covid", "covid 19"]}


def listed(folder):
    return {path.name for path in folder.iterdir() if path.is_symlink() or not path.is_dir()}


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Return a function that runs a command and returns its exit status and newest directory."""
    outputs = tmp_path / "outputs"

    def call(command, *arguments):
        name = command.__name__.removeprefix("xray.")
        monkeypatch.setattr(sys, "argv", [name, f"paths.outputs={outputs}", *arguments])
        status = 0
        try:
            command.main()
        except SystemExit as end:
            status = end.code
        return status, max(outputs.glob(f"{name}/*"), default=None)

    return call


@pytest.mark.slow
def test_exit_status_is_0_for_a_clean_dataset_and_3_for_leaks(make_tree, call, capsys):
    root = make_tree(TREE)
    status, run = call(audit, "data=folder", f"data.root={root}")
    assert status == 0
    assert json.loads((run / "audit.json").read_text())["verdict"] == "clean"
    shutil.copy(root / "test/Normal/patient0200_00.png", root / "train/Covid/patient0900_00.png")
    status, run = call(audit, "data=folder", f"data.root={root}", "tag=leaky")
    assert status == 3
    result = json.loads((run / "audit.json").read_text())
    assert result["verdict"] == "leaks found"
    assert result["contradictions"] == 1
    with (run / "findings.csv").open(newline="") as file:
        (finding,) = csv.DictReader(file)
    assert finding["kind"] == "contradiction"
    assert {finding["path"], finding["other"]} == {
        "train/Covid/patient0900_00.png",
        "test/Normal/patient0200_00.png",
    }
    assert "Verdict: leaks found. Overlaps between splits: 1." in capsys.readouterr().out


@pytest.mark.slow
def test_missing_dataset_exits_with_1(tmp_path, call, capsys):
    status, _ = call(audit, "data=folder", f"data.root={tmp_path / 'none'}")
    assert status == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.slow
def test_bad_files_are_listed_and_not_used(make_tree, transforms, tmp_path):
    root = make_tree(TREE)
    made = write_bad_files(root / "train" / "Normal")
    # One bad file is a folder and one does not exist; neither is listed.
    expected = {path: reason for path, reason in made.items() if path.name in listed(path.parent)}
    assert len(expected) >= 30

    def module(**options):
        return XrayDataModule(root, GROUPS, transforms, size=32, workers=0, min_val=0, **options)

    data = module()
    with pytest.raises(DataError, match=r"files cannot be used.*data\.on_bad_file=skip"):
        data.setup()
    found = audit_images(data.root, data.groups, data.patient)
    named = {
        root / f.path: f.detail
        for f in found.findings
        if f.kind in ("bad_file", "ignored", "unread")
    }
    missing = [
        path.name
        for path, reason in expected.items()
        if path not in named or reason not in named[path]
    ]
    assert missing == []
    skipping = module(on_bad_file="skip")
    used = {sample.path for split in SPLITS for sample in skipping.dataset(split).samples}
    assert len(used) == 36
    assert not used & set(expected)
    batches = [batch["image"].shape for batch in skipping.train_dataloader()]
    assert batches


@pytest.fixture
def leaky(make_tree):
    """Return a dataset with a test image in train, and the arguments of a short training."""
    root = make_tree(TREE)
    shutil.copy(root / "test/Normal/patient0200_00.png", root / "train/Normal/patient0900_00.png")
    return root, [
        "data=folder",
        f"data.root={root}",
        "data.size=32",
        "data.batch_size=8",
        "data.workers=0",
        "data.min_val=0",
        "model.weights=random",
        "model.head.hidden=[8]",
        "trainer=cpu",
        "trainer.max_epochs=1",
        "~callbacks.progress",
        "~callbacks.gradcam",
        "logger=none",
    ]


@pytest.mark.slow
def test_kept_leaks_are_stated_in_every_result(leaky, call, capsys):
    status, run = call(train, *leaky[1], "data.leaks=keep")
    assert status == 0
    assert json.loads((run / "data.json").read_text())["audit"]["verdict"] == "leaks found"
    metrics = json.loads((run / "metrics.json").read_text())
    assert [metrics[split]["verdict"] for split in ("val", "test")] == ["leaks found"] * 2
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("split: leaks found") == shown.count("split verdict: leaks found") == 1
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["XrayDataModule"]["certificate"]["verdict"] == "leaks found"


@pytest.mark.slow
def test_training_drops_and_records_leaks(leaky, call):
    root, tiny = leaky
    (root / "train/Normal/patient0901_00.png").write_bytes(b"")
    status, run = call(train, *tiny, "data.on_bad_file=skip")
    assert status == 0
    result = json.loads((run / "data.json").read_text())["audit"]
    assert result["verdict"] == "clean"
    assert result["dropped"] == {"train": 1, "val": 0}
    assert result["skipped"] == 1
    with (run / "audit" / "findings.csv").open(newline="") as file:
        assert sorted(row["kind"] for row in csv.DictReader(file)) == [
            "bad_file",
            "exact_duplicate",
        ]


@pytest.mark.slow
def test_audit_of_unchanged_files_is_recalled(make_tree, call, capsys, caplog):
    def written(run):
        return {
            path.relative_to(run).as_posix(): path.read_bytes()
            for path in sorted(run.rglob("*"))
            if path.is_file() and path.name not in ("environment.json", "audit.log")
            and ".hydra" not in path.parts
        }  # fmt: skip

    def again(tag, *options):
        status, run = call(audit, "data=folder", f"data.root={root}", f"tag={tag}", *options)
        recalled = "nothing changed since the last audit" in capsys.readouterr().out
        return status, run, recalled

    root = make_tree(TREE)
    shutil.copy(root / "test/Normal/patient0200_00.png", root / "train/Covid/patient0900_00.png")
    status, first, recalled = again("first")
    assert (status, recalled) == (3, False)
    assert {"audit.json", "findings.csv", "montages/duplicates.png"} < set(written(first))
    status, second, recalled = again("second")
    assert (status, recalled) == (3, True)
    assert written(second) == written(first)
    assert (second / "environment.json").is_file()
    # Another setting, fresh=true and a deleted file each cause a new audit.
    assert not again("third", "seed=1")[2]
    assert not again("fourth", "fresh=true")[2]
    (root / "train/Covid/patient0900_00.png").unlink()
    status, run, recalled = again("fifth")
    assert (status, recalled) == (0, False)
    assert "contradiction" not in (run / "findings.csv").read_text()
    assert again("sixth")[2]


@pytest.mark.slow
def test_recalled_audit_does_not_import_torch(make_tree, tmp_path):
    root = make_tree(TREE)
    command = [sys.executable, "-X", "importtime", "-m", "xray.audit", "data=folder"]
    command += [f"data.root={root}", f"paths.outputs={tmp_path / 'outputs'}"]
    loaded = []
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        loaded.append({line.rpartition("|")[2].strip() for line in done.stderr.splitlines()})
    heavy = {"torch", "torchvision", "sklearn", "matplotlib", "albumentations", "cv2"}
    assert heavy <= loaded[0]
    assert not heavy & loaded[1]
    assert "nothing changed since the last audit" in done.stdout
