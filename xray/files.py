"""Read and write files: atomically, as JSON, and as tables."""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from xray.errors import RunError

Row = Mapping[str, Any]
"""Flat; a value's interval is in "low" and "high", a difference's in "difference_low" ..."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file beside its place; it takes its name when the block ends well.

    Args:
        path: Where the file goes; its folder is made.

    Yields:
        The file to write, hidden in the same folder. It is gone after the block in any case.

    Raises:
        OSError: The folder cannot be made, or the file cannot be put into its place.
    """
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


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
