"""JSON files and tables."""

import csv
import json
import os

import pytest

from xray.errors import RunError
from xray.files import save_rows, write_json


def test_rows_are_written_as_json_and_csv(tmp_path):
    rows = [{"measure": "é", "value": 0.5}, {"measure": "b", "n": None}]
    columns = save_rows(tmp_path / "new" / "x.json", "Title", "Note.", rows)
    assert columns == ["measure", "value", "n"]
    content = json.loads((tmp_path / "new" / "x.json").read_text(encoding="utf-8"))
    assert content == {"title": "Title", "note": "Note.", "rows": rows}
    with (tmp_path / "new" / "x.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [columns, ["é", "0.5", ""], ["b", "", ""]]


def test_json_round_trip_and_format(tmp_path):
    path = tmp_path / "new" / "x.json"
    write_json(path, {"b": 1, "a": [0.1, None, "é"]})
    expected = '{\n  "b": 1,\n  "a": [\n    0.1,\n    null,\n    "é"\n  ]\n}\n'
    assert path.read_text(encoding="utf-8") == expected
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": 1, "a": [0.1, None, "é"]}
    assert list(path.parent.iterdir()) == [path]


def test_json_is_replaced_with_default_permissions(tmp_path):
    path, usual = tmp_path / "x.json", tmp_path / "usual"
    usual.touch()
    write_json(path, 1)
    write_json(path, 2)
    assert json.loads(path.read_text(encoding="utf-8")) == 2
    assert path.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": object()}])
def test_values_that_are_not_json_leave_the_file_unchanged(tmp_path, value):
    path = tmp_path / "x.json"
    write_json(path, 1)
    with pytest.raises((ValueError, TypeError)):
        write_json(path, value)
    assert json.loads(path.read_text(encoding="utf-8")) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_unchanged(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"x\.json cannot be written \(No space left on device\)"):
        write_json(path, 2)
    assert json.loads(path.read_text(encoding="utf-8")) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_json_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        write_json(tmp_path / "file" / "x.json", 1)
