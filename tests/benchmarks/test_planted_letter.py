"""Planted letters, faded lesions and result rows; the trainings are not run here."""

import json

import numpy as np
import pytest

from benchmarks import planted_marker
from benchmarks.planted_marker import fade, main, markdown, plant, row
from xray.evaluation.shortcuts import CLEARED, EXPOSED
from xray.imaging.read import read_image
from xray.phantom.tree import write_phantom_tree


def report(said):
    auroc = {"value": 0.9, "low": 0.8, "high": 1.0}
    images = ("as they are", "corners hidden", "lungs hidden")
    rows = [{"images": name, "measure": m, **auroc} for name in images for m in ("auroc", "x")]
    return {"note": f"{said}. Hidden: black.", "rows": rows}


def test_letter_is_planted_in_diseased_images_only(tmp_path):
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


def test_only_lesions_fade_and_vanish_at_zero(tmp_path):
    patients = {"train": 8, "val": 4, "test": 4}
    write_phantom_tree(tmp_path, patients=patients, views=1, size=96, seed=3)
    paths = sorted(tmp_path.glob("[!m]*/*/*.png"))
    drawn = {path: read_image(path).astype(int) for path in paths}
    fade(tmp_path, seed=3, contrast=0.5)
    half = {path: read_image(path).astype(int) for path in paths}
    fade(tmp_path, seed=3, contrast=0.0)
    for path in paths:
        healthy = read_image(path).astype(int)
        assert (drawn[path] != healthy).any() == (path.parent.name != "normal")
        assert np.abs(half[path] - (drawn[path] + healthy) / 2).max() <= 0.5
        if path.parent.name != "normal":
            lesion = read_image(tmp_path / "masks" / "lesion" / path.relative_to(tmp_path)) > 0
            change = np.abs(drawn[path] - healthy)
            assert change[lesion].mean() > 5 * change[~lesion].mean()


def test_row_is_right_if_the_letter_is_detected_or_the_set_cleared():
    assert row(report(f"{EXPOSED}: corners"), 0, planted=True)["right"]
    assert not row(report(CLEARED), 0, planted=True)["right"]
    assert row(report(CLEARED), 0, planted=False)["right"]
    assert list(row(report(CLEARED), 0, planted=False)["auroc"]) == [
        "as they are",
        "corners hidden",
        "lungs hidden",
    ]


def test_finished_rows_are_kept_for_the_same_setting(tmp_path, monkeypatch, capsys):
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
    with pytest.raises(SystemExit, match="unknown argument: sed"):
        main(["sed=1"], tmp_path)
