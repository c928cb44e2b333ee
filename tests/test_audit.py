"""The audit through its real entry point, and what training does with what it would find."""

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
    """Call a verb as the command line does; returns its exit status and its newest directory."""
    outputs = tmp_path / "outputs"

    def call(verb, *arguments):
        name = verb.__name__.removeprefix("xray.")
        monkeypatch.setattr(sys, "argv", [name, f"paths.outputs={outputs}", *arguments])
        status = 0
        try:
            verb.main()
        except SystemExit as end:
            status = end.code
        return status, max(outputs.glob(f"{name}/*"), default=None)

    return call


def test_a_clean_set_ends_with_0_and_a_leaky_one_with_3(make_tree, call, capsys):
    root = make_tree(TREE)
    status, run = call(audit, "data=folder", f"data.root={root}")
    assert status == 0
    assert json.loads((run / "audit.json").read_text())["verdict"] == "clean"
    shutil.copy(root / "test/Normal/patient0200_00.png", root / "train/Covid/patient0900_00.png")
    status, run = call(audit, "data=folder", f"data.root={root}", "tag=leaky")
    assert status == 3
    told = json.loads((run / "audit.json").read_text())
    assert told["verdict"] == "leaks found"
    assert told["contradictions"] == 1
    with (run / "findings.csv").open(newline="") as file:
        (finding,) = csv.DictReader(file)
    assert finding["kind"] == "contradiction"
    assert {finding["path"], finding["other"]} == {
        "train/Covid/patient0900_00.png",
        "test/Normal/patient0200_00.png",
    }
    assert "Verdict: leaks found. Overlaps between splits: 1." in capsys.readouterr().out


def test_what_cannot_run_ends_with_1(tmp_path, call, capsys):
    status, _ = call(audit, "data=folder", f"data.root={tmp_path / 'none'}")
    assert status == 1
    assert "does not exist" in capsys.readouterr().err


def test_bad_files_of_every_kind_are_named_and_never_used(make_tree, transforms, tmp_path):
    root = make_tree(TREE)
    made = write_bad_files(root / "train" / "Normal")
    # One of them is a folder, one is not there.
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
    """A set with a test image in train, and the arguments of a short run on it."""
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


def test_a_run_that_keeps_leaks_says_so_wherever_it_reports(leaky, call, capsys):
    status, run = call(train, *leaky[1], "data.leaks=keep")
    assert status == 0
    assert json.loads((run / "data.json").read_text())["audit"]["verdict"] == "leaks found"
    metrics = json.loads((run / "metrics.json").read_text())
    assert [metrics[split]["verdict"] for split in ("val", "test")] == ["leaks found"] * 2
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("split: leaks found") == shown.count("split verdict: leaks found") == 1
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["XrayDataModule"]["certificate"]["verdict"] == "leaks found"


def test_training_leaves_out_what_leaks_and_writes_it_down(leaky, call):
    root, tiny = leaky
    (root / "train/Normal/patient0901_00.png").write_bytes(b"")
    status, run = call(train, *tiny, "data.on_bad_file=skip")
    assert status == 0
    told = json.loads((run / "data.json").read_text())["audit"]
    assert told["verdict"] == "clean"
    assert told["dropped"] == {"train": 1, "val": 0}
    assert told["skipped"] == 1
    with (run / "audit" / "findings.csv").open(newline="") as file:
        assert sorted(row["kind"] for row in csv.DictReader(file)) == [
            "bad_file",
            "exact_duplicate",
        ]


def test_what_did_not_change_is_told_again_without_reading_it(make_tree, call, capsys, caplog):
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
    # Other settings, a wish, and a changed file each begin anew.
    assert not again("third", "seed=1")[2]
    assert not again("fourth", "fresh=true")[2]
    (root / "train/Covid/patient0900_00.png").unlink()
    status, run, recalled = again("fifth")
    assert (status, recalled) == (0, False)
    assert "contradiction" not in (run / "findings.csv").read_text()
    assert again("sixth")[2]


def test_an_audit_of_before_is_told_without_torch(make_tree, tmp_path):
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
