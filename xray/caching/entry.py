"""What the cache's folder is made of; nothing here needs torch."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

_NAME = re.compile(r"(pixels_)?(train|val|test)_[0-9a-f]{16}")


@dataclass(frozen=True)
class Entry:
    """The activations or the pixels of one split, finished or being computed.

    Args:
        folder: Of the cache.
        name: "<split>_<key>" of activations, "pixels_<split>_<key>" of pixels.
    """

    folder: Path
    name: str

    @property
    def kind(self) -> str:
        """What it holds, in a word."""
        return "pixels" if self.name.startswith("pixels_") else "activations"

    @property
    def split(self) -> str:
        """Whose images."""
        return self.name.split("_")[-2]

    @property
    def array(self) -> Path:
        """What it holds, finished; a .npy file."""
        return self.folder / f"{self.name}.npy"

    @property
    def record(self) -> Path:
        """What it is, and its checksums; its time of change is that of its last use."""
        return self.folder / f"{self.name}.json"

    @property
    def part(self) -> Path:
        """What it holds, while it is computed; as large as it will be."""
        return self.folder / f"{self.name}.part"

    @property
    def journal(self) -> Path:
        """Which blocks of the part are done."""
        return self.folder / f"{self.name}.journal"

    @property
    def fill_lock(self) -> Path:
        """Held by the process that computes."""
        return self.folder / f".{self.name}.lock"

    @property
    def complete(self) -> bool:
        """Whether it is finished."""
        return self.array.is_file() and self.record.is_file()

    @property
    def size(self) -> int:
        """Bytes on disk; of a part, what it will take."""
        return sum(status.st_size for status in _statuses(self.array, self.part))

    @property
    def allocated(self) -> int:
        """Bytes that it takes now: a part has holes."""
        return sum(
            status.st_blocks * 512 if path == self.part else status.st_size
            for path in (self.array, self.part)
            for status in _statuses(path)
        )

    @property
    def made(self) -> float:
        """When it was last written, seconds since the epoch."""
        return _newest(self.array, self.part)

    @property
    def used(self) -> float:
        """When it was last used or written, seconds since the epoch."""
        return _newest(self.array, self.part, self.record, self.journal)

    def in_use(self) -> bool:
        """Tell whether a live process holds it, and take the marks of dead ones away.

        Only to be asked with the folder's lock held.
        """
        marks = list(self.folder.glob(f".{self.name}.*.use"))
        return bool([mark for mark in marks if not _dead(mark)])

    def remove(self) -> None:
        """Delete the entry's files, but not its lock."""
        # Without its record an array is never taken for a finished one.
        for path in (self.record, self.array, self.journal, self.part):
            path.unlink(missing_ok=True)


def list_entries(folder: Path) -> list[Entry]:
    """List what a folder holds, by name; files that are not the cache's own are passed over."""
    if not folder.is_dir():
        return []
    suffixes = {".npy", ".json", ".part", ".journal"}
    names = {path.stem for path in folder.iterdir() if path.suffix in suffixes}
    return [Entry(folder, name) for name in sorted(names) if _NAME.fullmatch(name)]


def _newest(*paths: Path) -> float:
    return max((status.st_mtime for status in _statuses(*paths)), default=0.0)


def _statuses(*paths: Path) -> Iterator[os.stat_result]:
    """Look at what is there; another process may give a part its final name meanwhile."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield path.stat()


def _dead(mark: Path) -> bool:
    lock = FileLock(mark)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    mark.unlink(missing_ok=True)
    lock.release()
    return True
