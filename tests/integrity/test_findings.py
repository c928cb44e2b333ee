import csv
from pathlib import Path

import numpy as np
import pytest

from xray.errors import ImageError
from xray.integrity.duplicates import Pair
from xray.integrity.findings import Finding, Placed, count, find, judge, write_findings
from xray.integrity.index import ROW, Index
from xray.integrity.screening import Screening
from xray.types import Sample

ROOT = Path("set")
# (path, class, patient)
IMAGES = [
    ("train/normal/a.png", 0, "p1"),
    ("train/normal/b.png", 0, "p1"),
    ("train/covid/c.png", 1, None),
    ("val/normal/d.png", 0, "p1"),
    ("test/normal/e.png", 0, "p2"),
    ("test/covid/f.jpg", 1, None),
]


@pytest.fixture
def placed():
    samples = [Sample(ROOT / name, k, Path(name).parts[1], who) for name, k, who in IMAGES]
    splits = [Path(name).parts[0] for name, _, _ in IMAGES]
    return Placed(samples, splits, ROOT, ("normal", "pneumonia"))


def screening(pairs=(), problems=None, formats=("PNG",) * 5 + ("JPEG",)):
    rows = np.zeros(len(IMAGES), ROW)
    rows["format"] = formats
    paths = [ROOT / name for name, _, _ in IMAGES]
    return Screening(Index(paths, rows, problems or {}, ""), list(pairs))


def test_patient_in_two_splits(placed):
    (finding,) = find(placed, screening())
    assert finding == Finding(
        "patient_overlap",
        "train/normal/a.png",
        "val/normal/d.png",
        "train",
        "val",
        "patient p1: 2 images in train, 1 in val",
    )


def test_exact_and_near_duplicates_and_contradictions(placed):
    pairs = [Pair(0, 1, 1.0, True), Pair(1, 4, 0.934, False), Pair(2, 4, 0.95, False)]
    _, exact, near, contradiction = find(placed, screening(pairs))
    assert (exact.kind, exact.crosses, exact.detail) == (
        "exact_duplicate",
        False,
        "identical files",
    )
    assert (near.kind, near.crosses) == ("near_duplicate", True)
    assert near.detail == "aligned correlation 0.934"
    assert contradiction.kind == "contradiction"
    assert contradiction.detail == "pneumonia and normal, aligned correlation 0.950"


def test_bad_and_misnamed_files(placed):
    error = ImageError(ROOT / "train/normal/b.png", "is empty (0 bytes)", "Replace it.")
    formats = ("JPEG", "", "PNG", "PNG", "PNG", "JPEG")
    _, bad, misnamed = find(placed, screening(problems={1: error}, formats=formats))
    assert bad == Finding(
        "bad_file", "train/normal/b.png", split="train", detail="is empty (0 bytes)"
    )
    assert (misnamed.kind, misnamed.path) == ("misnamed", "train/normal/a.png")
    assert "JPEG" in misnamed.detail


def test_files_read_with_a_note(placed):
    screened = screening()
    screened.index.rows["note"][2] = "1 outlier pixel was clipped."
    (found,) = (finding for finding in find(placed, screened) if finding.kind == "note")
    assert found == Finding(
        "note", "train/covid/c.png", split="train", detail="1 outlier pixel was clipped."
    )


def test_verdicts():
    leak = Finding("near_duplicate", "a", "b", "train", "test")
    within = Finding("near_duplicate", "a", "b", "train", "train")
    assert judge([within], 0) == "clean"
    assert judge([within], 3) == "unknown patients"
    assert judge([within, leak], 3) == "leaks found"
    assert count([leak, within, within]) == {"near_duplicate": {"within": 2, "across": 1}}


def test_findings_as_csv(tmp_path):
    finding = Finding("near_duplicate", "a, b.png", "c.png", "train", "test", 'says "so"')
    write_findings(tmp_path / "new" / "findings.csv", [finding])
    with (tmp_path / "new" / "findings.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["kind", "path", "other", "split", "other_split", "detail"],
        ["near_duplicate", "a, b.png", "c.png", "train", "test", 'says "so"'],
    ]
