"""Rows of measured values: in files and on the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xray.files import save_rows
from xray.reporting.terminal import estimate_text


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
    columns = save_rows(path, title, note, rows)
    table = Table(title=Text(title), caption=Text(note), title_justify="left")
    shown = [name for name in columns if not name.endswith(("low", "high"))]
    for name in shown:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row, name)) for name in shown))
    console.print(table)
    console.print(f"written: {path}", soft_wrap=True, markup=False, highlight=False)


def _cell(row: Mapping[str, Any], name: str) -> str:
    ends = {"value": ("low", "high"), "difference": ("difference_low", "difference_high")}
    if name not in ends:
        return str(row.get(name, ""))
    low, high = (row.get(end) for end in ends[name])
    return estimate_text({"value": row.get(name), "low": low, "high": high})
