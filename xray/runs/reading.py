"""Read files of a run directory.

One policy holds for all of them: a missing optional file is empty, and a damaged file is a
`RunError` that names the file. `RunFiles` can collect these errors for a report.
"""

import csv
import json
from pathlib import Path
from typing import Any

import yaml

from xray.errors import RunError

MAX_BYTES = 64_000_000
"""Larger files are not read: those of a run are at most a few megabytes."""
MAX_DEPTH = 100
"""Lists and mappings of a YAML file that are nested deeper are not parsed."""
Table = list[dict[str, str]]
"""The lines of a CSV file, by column."""


def read_json(path: Path) -> Any:
    """Read a required JSON file.

    Raises:
        RunError: The file is missing, unreadable or not valid JSON.
    """
    try:
        _check_size(path)
        return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        raise RunError(
            f"{path} cannot be opened ({error.strerror}). Expected the directory of a finished "
            f"run: {path.parent}"
        ) from error
    except json.JSONDecodeError as error:
        raise RunError(
            f"{path} is not valid JSON (line {error.lineno}: {error.msg}). Restore the file, or "
            "repeat the run."
        ) from error
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or brackets nested thousands of times.
        raise RunError(f"{path} is damaged: {error}. Restore the file.") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """Read an optional JSON or YAML file.

    Returns:
        Its content; empty if the file is missing.

    Raises:
        RunError: The file is unreadable or damaged, or its content is not a mapping.
    """
    if not path.is_file():
        return {}
    content = read_json(path) if path.suffix == ".json" else _read_yaml(path)
    if not isinstance(content, dict):
        raise RunError(f"{path} does not contain a mapping of names to values. Restore the file.")
    return content


def read_table(path: Path) -> Table:
    """Read an optional CSV file.

    Returns:
        One dictionary per line, without an incomplete last line; empty if the file is missing.

    Raises:
        RunError: The file is unreadable or damaged.
    """
    if not path.is_file():
        return []
    try:
        _check_size(path)
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, csv.Error) as error:
        raise RunError(f"{path} cannot be read: {error}. Restore the file.") from error
    # A process that was killed while it wrote leaves an incomplete last line.
    if rows and None in rows[-1].values():
        rows.pop()
    if any(None in row or None in row.values() for row in rows):
        raise RunError(f"{path} is damaged: a line has too few or too many fields.")
    return rows


def read_yaml_text(path: Path) -> str:
    """Read a YAML file without parsing it, after a check that it can be parsed in little memory.

    Returns:
        The text.

    Raises:
        RunError: The file is too large.
        OSError: It cannot be read.
        YAMLError: It is not valid YAML, or it has aliases or deep nesting, which can take minutes
            or all memory to parse. Hydra writes neither.
    """
    _check_size(path)
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"it has the alias *{event.anchor}")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"it has more than {MAX_DEPTH} nested lists or mappings")
    return text


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(read_yaml_text(path))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path} cannot be read: {reason}. Restore the file.") from error


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise RunError(
            f"{path} has {size:,} bytes, more than the {MAX_BYTES:,} allowed. Restore the file."
        )
