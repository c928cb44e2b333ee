"""Rows of measured values: in JSON, in CSV and on the terminal."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xray.results.store import write_json
from xray.results.table import estimate_text


def write_rows(
    path: Path, title: str, note: str, rows: Sequence[Mapping[str, Any]], console: Console
) -> None:
    """Write {"title", "note", "rows"} to `path` (.json), the rows to .csv beside it; show them.

    Args:
        path: The JSON file.
        title: Of the table.
        note: What to know of the numbers.
        rows: Flat; a value's interval is in "low" and "high", "difference_low" and so on.
        console: Where the table goes.
    """
    write_json(path, {"title": title, "note": note, "rows": [dict(row) for row in rows]})
    columns = write_csv(path.with_suffix(".csv"), rows)
    table = Table(title=Text(title), caption=Text(note), title_justify="left")
    shown = [name for name in columns if not name.endswith(("low", "high"))]
    for name in shown:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row, name)) for name in shown))
    console.print(table)
    console.print(f"written: {path}", soft_wrap=True, markup=False, highlight=False)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write flat rows, a column a name, in the order in which names first occur; give the names."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return columns


def _cell(row: Mapping[str, Any], name: str) -> str:
    ends = {"value": ("low", "high"), "difference": ("difference_low", "difference_high")}
    if name not in ends:
        return str(row.get(name, ""))
    low, high = (row.get(end) for end in ends[name])
    return estimate_text({"value": row.get(name), "low": low, "high": high})
