"""Tables of scorecards and shortcut audits in a report."""

import json

import pytest

from xray.reporting.explanation_tables import explanation_grids
from xray.runs.reading import read_mapping


def grids(path):
    return explanation_grids(path, read_mapping(path))


def row(group, measure, name, value, low=None, high=None, n=5):
    found = {"group": group, "measure": measure, "map": name}
    return found | {"value": value, "low": low, "high": high, "n": n}


def write(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_one_table_per_group_and_one_column_per_map(tmp_path):
    rows = [
        row("lesion", "pointing game", "map", 0.81, 0.74, 0.87),
        row("lesion", "pointing game", "centre prior", 0.4, 0.3, 0.5),
        row("lesion", "IoU", "centre prior", None, n=4),
        row("weights", "correlation", "map", 0.9, 0.8, 0.95),
    ]
    path = write(tmp_path / "scorecard.json", title="Scorecard", note="Of all.", rows=rows)
    lesion, weights = grids(path)
    assert lesion.title == "Scorecard: localization of lesions"
    assert lesion.columns == ["Metric", "Heatmap", "center prior", "Images"]
    assert lesion.rows == [
        ["pointing game", "0.810 [0.740, 0.870]", "0.400 [0.300, 0.500]", "5"],
        ["IoU", "-", "-", "4"],
    ]
    assert lesion.note.startswith("Pointing game:")
    assert "Of all." not in lesion.note
    assert weights.columns == ["Metric", "Heatmap", "Images"]
    assert weights.note.endswith("Of all.")


def test_an_unknown_group_has_its_name(tmp_path):
    path = write(tmp_path / "scorecard.json", title="T", rows=[row("other", "m", "map", 1.0)])
    (grid,) = grids(path)
    assert (grid.title, grid.note) == ("T: other", "")


def test_intervals_are_written_with_their_values(tmp_path):
    rows = [
        {"images": "as they are", "value": 0.9, "low": 0.8, "high": 0.95, "n": 7},
        {
            "images": "lungs hidden",
            "value": 0.5,
            "low": None,
            "high": None,
            "difference": -0.4,
            "difference_low": -0.5,
            "difference_high": -0.3,
            "n": 7,
        },
    ]
    (grid,) = grids(write(tmp_path / "run" / "shortcuts.json", note="N.", rows=rows))
    assert (grid.title, grid.note) == ("shortcuts: run", "N.")
    assert grid.columns == [
        "Images",
        "Value",
        "Number of images",
        "Difference from unchanged images",
    ]
    assert grid.rows == [
        ["unchanged", "0.900 [0.800, 0.950]", "7", "-"],
        ["lungs hidden", "0.500", "7", "-0.400 [-0.500, -0.300]"],
    ]


def test_other_cells_are_written_as_text(tmp_path):
    entry = {"value": 0.5, "low": 0.4, "high": 0.6}
    rows = [{"name": "a", "share": 0.12345, "entry": entry, "none": None}]
    (grid,) = grids(write(tmp_path / "scorecard.json", rows=rows))
    assert grid.rows == [["a", "0.123", "0.500 [0.400, 0.600]", "-"]]


@pytest.mark.parametrize("content", [{}, {"rows": []}, {"rows": [1]}, {"rows": "x"}])
def test_damaged_files_have_no_table(tmp_path, content):
    assert not list(grids(write(tmp_path / "scorecard.json", **content)))
    assert not list(grids(tmp_path / "missing.json"))
