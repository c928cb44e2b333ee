"""Write files atomically, as JSON, and as tables."""

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
"""One row of a table, column -> value; intervals are in "low" and "high" or "<name>_low" ..."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a temporary file that replaces `path` if the block succeeds.

    Args:
        path: The file to replace; its folder is created.

    Yields:
        The temporary file to write, a hidden file in the same folder. It is deleted if the block
        fails.

    Raises:
        OSError: The folder cannot be created, or the file cannot be replaced.
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
    """Write plain values to a JSON file atomically.

    Args:
        path: The file; its folder is created.
        value: Plain values; the order of keys is preserved.

    Raises:
        RunError: The file cannot be written.
        ValueError: A float is not finite.
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
        advice = "Free disk space, or pass another folder with paths.outputs=<folder>."
        raise RunError(f"{reason}. {advice}") from error


def save_rows(path: Path, title: str, note: str, rows: Sequence[Row]) -> list[str]:
    """Write a table as JSON, {"title", "note", "rows"}, and its rows as CSV next to it.

    Args:
        path: The JSON file.
        title: Title of the table.
        note: Explanation of the numbers.
        rows: Rows of the table.

    Returns:
        Names of the columns.

    Raises:
        RunError: The JSON file cannot be written.
    """
    write_json(path, {"title": title, "note": note, "rows": [dict(row) for row in rows]})
    return write_csv(path.with_suffix(".csv"), rows)


def write_csv(path: Path, rows: Sequence[Row]) -> list[str]:
    """Write rows to a CSV file, with columns in the order of their first occurrence.

    Returns:
        Names of the columns.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return columns
