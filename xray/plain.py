"""Plain values in files: JSON, and rows of measured values in JSON and CSV."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xray.atomic import replacing
from xray.errors import RunError

Row = Mapping[str, Any]
"""Flat; a value's interval is in "low" and "high", a difference's in "difference_low" ..."""


def write_json(path: Path, value: Any) -> None:
    """Write plain values as JSON, whole or not at all: a reader never meets half a file.

    Args:
        path: The file; its directory is made where it is missing.
        value: Plain values; keys are kept in their order.

    Raises:
        RunError: The file cannot be written.
        ValueError: A float in it is not finite.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        with (
            replacing(path) as part,
            part.open("w", encoding="utf-8", errors="surrogateescape") as file,
        ):
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        reason = f"{path} cannot be written ({error.strerror})"
        advice = "Make room there, or name another directory with paths.outputs=<directory>."
        raise RunError(f"{reason}. {advice}") from error


def save_rows(path: Path, title: str, note: str, rows: Sequence[Row]) -> list[str]:
    """Write {"title", "note", "rows"} to `path` (.json), and the rows to .csv beside it.

    Args:
        path: The JSON file.
        title: Of the table.
        note: What to know of the numbers.
        rows: The lines of the table.

    Returns:
        The columns' names.

    Raises:
        RunError: The JSON file cannot be written.
    """
    write_json(path, {"title": title, "note": note, "rows": [dict(row) for row in rows]})
    return write_csv(path.with_suffix(".csv"), rows)


def write_csv(path: Path, rows: Sequence[Row]) -> list[str]:
    """Write flat rows, a column a name, in the order in which names first occur; give the names."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return columns
