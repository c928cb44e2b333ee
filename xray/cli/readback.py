"""A finished job of a sweep, which is read back and not run again."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xray.config import SAVED
from xray.files import replacing


@dataclass(frozen=True)
class Done:
    """A finished job.

    Attributes:
        value: The monitored metric of its best checkpoint, which a sweep goes by; None where it
            is not known.
        record: What Hydra wrote of it when it ran: file -> its bytes, and when it was written in
            nanoseconds.
    """

    value: float | None
    record: Mapping[Path, tuple[bytes, int]]

    def restore(self) -> None:
        """Put back the job's record, which Hydra writes anew before a job starts."""
        for path, (content, written) in self.record.items():
            with replacing(path) as part:
                part.write_bytes(content)
                os.utime(part, ns=(written, written))


def read_done(directory: Path, value: float | None) -> Done:
    """Read a finished job's record.

    Args:
        directory: Of the job.
        value: See `Done`.
    """
    files = sorted((directory / SAVED.parent).glob("*.yaml"))
    return Done(value, {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files})
