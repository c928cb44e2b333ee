"""What is planted, and what is written of it; the trainings themselves are no unit test."""

import json

import numpy as np
import pytest

from benchmarks import planted_marker
from benchmarks.planted_marker import main, markdown, plant, row
from xray.imaging.phantom_tree import write_phantom_tree
from xray.imaging.read import read_image
from xray.results.shortcuts import CLEARED, EXPOSED


def report(said):
    auroc = {"value": 0.9, "low": 0.8, "high": 1.0}
    images = ("as they are", "corners hidden", "lungs hidden")
    rows = [{"images": name, "measure": m, **auroc} for name in images for m in ("auroc", "x")]
    return {"note": f"{said}. Hidden: black.", "rows": rows}


def test_a_letter_is_planted_in_a_corner_of_the_ill_alone(tmp_path):
    write_phantom_tree(
        tmp_path, patients={"train": 8, "val": 4, "test": 4}, views=1, size=96, seed=0
    )
    paths = sorted(tmp_path.glob("[!m]*/*/*.png"))
    before = {path: read_image(path) for path in paths}
    plant(tmp_path, seed=0)
    changed = {path for path in paths if (read_image(path) != before[path]).any()}
    assert changed == {path for path in paths if path.parent.name != "normal"} != set()
    for path in changed:
        rows, columns = np.nonzero(read_image(path) != before[path])
        assert rows.min() > 0.8 * 96
        assert columns.max() < 0.2 * 96


def test_a_row_is_right_where_the_letter_is_exposed_or_the_set_cleared():
    assert row(report(f"{EXPOSED}: corners"), 0, planted=True)["right"]
    assert not row(report(CLEARED), 0, planted=True)["right"]
    assert row(report(CLEARED), 0, planted=False)["right"]
    assert list(row(report(CLEARED), 0, planted=False)["auroc"]) == [
        "as they are",
        "corners hidden",
        "lungs hidden",
    ]


def test_what_is_done_is_kept_and_another_setting_begins_anew(tmp_path, monkeypatch, capsys):
    calls = []

    def audited(options, seed, *, planted):
        calls.append((seed, planted))
        return row(report(f"{EXPOSED}: x" if planted else CLEARED), seed, planted=planted)

    monkeypatch.setattr(planted_marker, "audited", audited)
    path = main(["seeds=1"], tmp_path)
    main(["seeds=2"], tmp_path)
    assert calls == [(0, False), (0, True), (1, False), (1, True)]
    text = markdown(json.loads(path.read_text()))
    assert "exposed in 2 of 2" in text
    assert "cleared in 2 of 2" in text
    main(["seeds=1", "n=9"], tmp_path)
    assert len(calls) == 6
    with pytest.raises(SystemExit, match="unknown: sed"):
        main(["sed=1"], tmp_path)
