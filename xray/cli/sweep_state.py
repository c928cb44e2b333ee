"""A sweep on disk: its record, its lock, and its finished jobs."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from xray.errors import RunError
from xray.files import replacing
from xray.runs import layout
from xray.runs.reading import read_yaml_text

PATIENCE = 15
"""Seconds to wait for the lock: the loader processes of a killed sweep hold it a little longer."""


@dataclass(frozen=True)
class Started:
    """A sweep that was started.

    Attributes:
        directory: Where it writes.
        overrides: As they were typed, without the keys of Hydra itself.
        cwd: The directory in which it was started.
        grid: Whether it runs every combination of listed values; False for a search.
    """

    directory: Path
    overrides: tuple[str, ...]
    cwd: Path
    grid: bool


@dataclass(frozen=True)
class Done:
    """A finished job.

    Attributes:
        value: The monitored metric of its best checkpoint, which the sweeper reads; None if
            unknown.
        record: Files that Hydra wrote when the job ran: path -> content, and time of the last
            change in nanoseconds.
    """

    value: float | None
    record: Mapping[Path, tuple[bytes, int]]

    def restore(self) -> None:
        """Write the record of the job again: Hydra replaces it before a job starts."""
        for path, (content, written) in self.record.items():
            with replacing(path) as part:
                part.write_bytes(content)
                os.utime(part, ns=(written, written))


def read_done(directory: Path, value: float | None) -> Done:
    """Read the record of a finished job.

    Args:
        directory: Directory of the job.
        value: See `Done`.
    """
    files = sorted((directory / layout.CONFIG.parent).glob("*.yaml"))
    return Done(value, {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files})


def read_started(directory: Path) -> Started:
    """Read the record of a sweep.

    Raises:
        RunError: The directory is not that of a sweep, or its record cannot be read.
    """
    path = directory / layout.SWEEP_RECORD
    advice = (
        "Pass the directory of a sweep, outputs/multirun/<time>_<tag>, or resume=true for the "
        "newest sweep with the same overrides."
    )
    try:
        record: Any = yaml.safe_load(read_yaml_text(path))
        hydra = record["hydra"]
        return Started(
            directory=directory,
            overrides=tuple(str(text) for text in hydra["overrides"]["task"]),
            cwd=Path(hydra["runtime"]["cwd"]),
            grid=str(hydra["sweeper"]["_target_"]).endswith(".BasicSweeper"),
        )
    except OSError as error:
        raise RunError(
            f"{directory} is not a sweep: it has no {layout.SWEEP_RECORD}. {advice}"
        ) from error
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise RunError(f"{path} is not a record that Hydra writes. {advice}") from error


def started_below(folder: Path) -> Sequence[Started]:
    """List the sweeps in a folder, the one started or resumed last first."""
    found = sorted(
        folder.glob(f"*/{layout.SWEEP_RECORD}"), key=lambda p: p.stat().st_mtime_ns, reverse=True
    )
    sweeps = []
    for path in found:
        try:
            sweeps.append(read_started(path.parent))
        except RunError:
            # The record is incomplete, or another program wrote it.
            continue
    return sweeps


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Reserve the directory of a sweep for this process.

    Raises:
        RunError: Another process holds it, or it cannot be written to.
    """
    lock = FileLock(directory / layout.SWEEP_LOCK)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise RunError(
            f"{directory} belongs to a sweep that is still running. Wait for its end, or stop it."
        ) from error
    except OSError as error:
        raise RunError(
            f"Cannot write to {directory} ({error.strerror}). Choose another place: "
            "paths.outputs=<folder>"
        ) from error
    try:
        yield
    finally:
        (directory / layout.SWEEP_LOCK).unlink(missing_ok=True)
        lock.release()
