import shutil

import numpy as np
import pytest
from made_images import write_image
from rich.console import Console

from xray.data.audit import audit
from xray.data.groups import Groups
from xray.data.patients import compile_patient_pattern
from xray.imaging.read import read_image
from xray.reporting.audit_tables import audit_tables, conclusions, passed, write_audit
from xray.reporting.montage import write_montages
from xray.runs.reading import read_json

GROUPS = Groups({"normal": [], "pneumonia": ["covid"]})


def look(root, folder=None):
    return audit(root, GROUPS, compile_patient_pattern(None), folder=folder)


def printed(found):
    console = Console(width=250)
    with console.capture() as capture:
        told = found.as_dict()
        console.print(*audit_tables(told), *conclusions(told))
    return capture.get()


@pytest.fixture
def root(make_tree):
    return make_tree({"train/NORMAL": 40, "train/Covid": 40, "test/NORMAL": 4, "test/Covid": 4})


def test_a_clean_set(root, tmp_path):
    found = look(root)
    assert passed(found.as_dict())
    assert found.verdict == "clean"
    assert found.counts()["train"] == {
        "images": 80,
        "patients": 40,
        "classes": {"normal": 40, "pneumonia": 40},
    }
    text = printed(found)
    assert "clean: no patient and no exposure is in two splits" in text
    write_audit(tmp_path / "run", found)
    write_montages(tmp_path / "run", found)
    assert read_json(tmp_path / "run/audit.json")["findings"] == {}
    names = {path.name for path in (tmp_path / "run/montages").iterdir()}
    assert names == {"class_normal.png", "class_pneumonia.png"}


def test_leaks_and_contradictions_are_told_and_drawn(root, tmp_path):
    # A copy across splits, a copy across classes, and a class that is brighter.
    shutil.copy(root / "test/Covid/patient0300_00.png", root / "train/Covid/patient0900_00.png")
    shutil.copy(root / "train/NORMAL/patient0000_00.png", root / "train/Covid/patient0901_00.png")
    (root / "train/NORMAL/patient0902_00.png").write_bytes(b"")
    found = look(root)
    assert not passed(found.as_dict())
    text = printed(found)
    assert "leaks found, overlaps between splits: 1." in text
    assert "contradictions, pairs of one exposure in two classes: 1." in text
    assert "the labels leak" in text
    assert "some files cannot be read" in text
    write_audit(tmp_path / "run", found)
    write_montages(tmp_path / "run", found)
    told = read_json(tmp_path / "run/audit.json")
    assert told["verdict"] == "leaks found"
    assert told["contradictions"] == 1
    assert told["findings"]["exact_duplicate"] == {"within": 0, "across": 1}
    assert [probe["family"] for probe in told["source_probe"] if probe["leaks"]][-1] == "all"
    drawn = read_image(tmp_path / "run/montages/duplicates.png")
    assert len(np.unique(drawn)) > 20


def test_patients_that_nothing_tells(root):
    write_image(root / "test/NORMAL/scan.png", seed=800)
    assert "images whose patient nothing tells: 1." in printed(look(root))


def test_the_probe_is_kept(root, tmp_path, monkeypatch):
    first = look(root, tmp_path / "kept")
    monkeypatch.setattr("xray.data.audit.source_probe", lambda *arguments: 1 / 0)
    assert look(root, tmp_path / "kept").probes == first.probes != []
