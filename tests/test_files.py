"""Rows in JSON and CSV."""

import csv
import json

from xray.files import save_rows


def test_rows_are_written_twice_and_their_columns_told(tmp_path):
    rows = [{"measure": "é", "value": 0.5}, {"measure": "b", "n": None}]
    columns = save_rows(tmp_path / "new" / "x.json", "Title", "Note.", rows)
    assert columns == ["measure", "value", "n"]
    told = json.loads((tmp_path / "new" / "x.json").read_text(encoding="utf-8"))
    assert told == {"title": "Title", "note": "Note.", "rows": rows}
    with (tmp_path / "new" / "x.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [columns, ["é", "0.5", ""], ["b", "", ""]]
