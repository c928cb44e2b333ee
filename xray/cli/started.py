"""Sweeps as their multirun.yaml tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from xray.errors import RunError

RECORD = "multirun.yaml"
"""What Hydra writes into a sweep's directory before its first job."""


@dataclass(frozen=True)
class Started:
    """A sweep that was started.

    Attributes:
        directory: Where it writes.
        overrides: As they were typed, without Hydra's own.
        cwd: The directory it was started from.
        grid: Whether it runs every combination of listed values, and no search.
    """

    directory: Path
    overrides: tuple[str, ...]
    cwd: Path
    grid: bool


def read_started(directory: Path) -> Started:
    """Read what a sweep was started with.

    Raises:
        RunError: The directory is no sweep's, or its record cannot be read.
    """
    path = directory / RECORD
    advice = (
        "Give the directory of a sweep, outputs/multirun/<time>_<tag>, or resume=true for the "
        "newest of the same overrides."
    )
    try:
        record: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        hydra = record["hydra"]
        return Started(
            directory=directory,
            overrides=tuple(str(text) for text in hydra["overrides"]["task"]),
            cwd=Path(hydra["runtime"]["cwd"]),
            grid=str(hydra["sweeper"]["_target_"]).endswith(".BasicSweeper"),
        )
    except OSError as error:
        raise RunError(f"{directory} is no sweep: it has no {RECORD}. {advice}") from error
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise RunError(f"{path} is not what Hydra writes of a sweep. {advice}") from error


def started_below(folder: Path) -> Sequence[Started]:
    """List the sweeps in a folder, the one that was started or resumed last first."""
    found = sorted(folder.glob(f"*/{RECORD}"), key=lambda p: p.stat().st_mtime_ns, reverse=True)
    sweeps = []
    for path in found:
        try:
            sweeps.append(read_started(path.parent))
        except RunError:
            # A record that was cut off, or another program's.
            continue
    return sweeps
