"""Tables, files and conclusions of an audit."""

import shutil

import numpy as np
import pytest
from made_images import write_image
from rich.console import Console

from xray.data.audit import audit
from xray.data.groups import Groups
from xray.data.patients import compile_patient_pattern
from xray.imaging.read import read_image
from xray.reporting.audit_tables import (
    audit_tables,
    conclusions,
    passed,
    show_audit,
    write_audit,
)
from xray.reporting.montage import write_montages
from xray.runs.reading import read_json

GROUPS = Groups({"normal": [], "pneumonia": ["covid"]})


def run_audit(root, folder=None):
    return audit(root, GROUPS, compile_patient_pattern(None), folder=folder)


def printed(found):
    console = Console(width=250)
    with console.capture() as capture:
        record = found.as_dict()
        console.print(*audit_tables(record), *conclusions(record))
    return " ".join(capture.get().split())


@pytest.fixture
def root(make_tree):
    return make_tree({"train/NORMAL": 40, "train/Covid": 40, "test/NORMAL": 4, "test/Covid": 4})


@pytest.mark.slow
def test_clean_dataset(root, tmp_path):
    found = run_audit(root)
    assert passed(found.as_dict())
    assert found.verdict == "clean"
    assert found.counts()["train"] == {
        "images": 80,
        "patients": 40,
        "classes": {"normal": 40, "pneumonia": 40},
    }
    text = printed(found)
    assert "Verdict: clean. No patient and no duplicate image is in more than one split" in text
    write_audit(tmp_path / "run", found)
    write_montages(tmp_path / "run", found)
    assert read_json(tmp_path / "run/audit.json")["findings"] == {}
    names = {path.name for path in (tmp_path / "run/montages").iterdir()}
    assert names == {"class_normal.png", "class_pneumonia.png"}


@pytest.mark.slow
def test_leaks_and_contradictions_are_shown_and_drawn(root, tmp_path):
    # A copy across splits, a copy across classes, and a class that is brighter.
    shutil.copy(root / "test/Covid/patient0300_00.png", root / "train/Covid/patient0900_00.png")
    shutil.copy(root / "train/NORMAL/patient0000_00.png", root / "train/Covid/patient0901_00.png")
    (root / "train/NORMAL/patient0902_00.png").write_bytes(b"")
    found = run_audit(root)
    assert not passed(found.as_dict())
    text = printed(found)
    assert "Verdict: leaks found. Overlaps between splits: 1." in text
    assert "Duplicates with different classes: 1." in text
    assert "The class can be predicted from technical properties" in text
    assert "Some files are unreadable" in text
    write_audit(tmp_path / "run", found)
    write_montages(tmp_path / "run", found)
    record = read_json(tmp_path / "run/audit.json")
    assert record["verdict"] == "leaks found"
    assert record["contradictions"] == 1
    assert record["findings"]["exact_duplicate"] == {"within": 0, "across": 1}
    assert [probe["family"] for probe in record["source_probe"] if probe["leaks"]][-1] == "all"
    drawn = read_image(tmp_path / "run/montages/duplicates.png")
    assert len(np.unique(drawn)) > 20


@pytest.mark.slow
def test_images_without_a_patient_id_are_counted(root):
    write_image(root / "test/NORMAL/scan.png", seed=800)
    assert "Images without a patient ID: 1." in printed(run_audit(root))


@pytest.mark.slow
def test_source_probe_is_memoized(root, tmp_path, monkeypatch):
    first = run_audit(root, tmp_path / "kept")
    monkeypatch.setattr("xray.data.audit.source_probe", lambda *arguments: 1 / 0)
    assert run_audit(root, tmp_path / "kept").probes == first.probes != []


def test_skipped_files_and_unknown_kinds_are_shown():
    numbers = {"within": 3, "across": 0}
    record = {
        "root": "set",
        "verdict": "clean",
        "contradictions": 0,
        "unknown_patients": 0,
        "splits": {"train": {"images": 2, "patients": 2, "classes": {"normal": 2}}},
        "findings": {"future_kind": numbers, "mask": numbers, "exact_duplicate": numbers},
        "extraneous": {"masks": 3, "outside": 0, "unread": {".gif": 1234, "": 1}},
        "source_probe": [],
    }
    console = Console(width=120)
    with console.capture() as capture:
        show_audit(record, console)
    lines = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in capture.get().splitlines()
    ]
    names = [cells[0] for cells in lines if len(cells) == 3]
    assert names == ["exact duplicates", "segmentation masks, not used", "future kind"]
    assert [".gif", "1,234"] in lines
    assert ["none", "1"] in lines
