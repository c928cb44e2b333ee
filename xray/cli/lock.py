"""One process a sweep."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from xray.errors import RunError

LOCK = ".sweep.lock"
"""Held by the process that a sweep runs in, in its directory."""

PATIENCE = 15
"""Seconds: the loader processes of a killed sweep hold its lock for some more."""


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Keep a sweep's directory to this process.

    Raises:
        RunError: Another process holds it, or it cannot be written to.
    """
    lock = FileLock(directory / LOCK)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise RunError(
            f"{directory} belongs to a sweep that still runs. Wait for its end, or stop it."
        ) from error
    except OSError as error:
        raise RunError(
            f"cannot write to {directory} ({error.strerror}). Choose another place: "
            "paths.outputs=<folder>"
        ) from error
    try:
        yield
    finally:
        (directory / LOCK).unlink(missing_ok=True)
        lock.release()
