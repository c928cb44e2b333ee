"""The cache folder, whose size is limited."""

import errno
import gc
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from xray.caching.entry import Entry, list_entries

log = logging.getLogger(__name__)
GIB = 2**30


class CacheUnusableError(Exception):
    """There can be no cache.

    Args:
        reason: The reason, as a clause.
        room: Bytes that are available, if the reason is a lack of room.
    """

    def __init__(self, reason: str, room: int | None = None) -> None:
        super().__init__(reason)
        self.room = room


def unwritable(path: Path, error: OSError) -> CacheUnusableError:
    """Return the error for a file that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CacheUnusableError(
            f"the disk of {path.parent} is full. Free some space, or pass cache.dir=<folder> on "
            "another disk"
        )
    return CacheUnusableError(
        f"{path} cannot be written ({error.strerror or error}). Pass cache.dir=<folder> with a "
        "writable folder"
    )


@dataclass(frozen=True)
class CacheFolder:
    """A folder of entries, of which the least recently used are evicted.

    Args:
        path: The folder; it is created if missing.
        max_gb: Limit of the size of all entries, in GiB.
    """

    path: Path
    max_gb: float

    def _bookkeeping(self) -> FileLock:
        return FileLock(self.path / ".lock")

    def reserve(self, wanted: Mapping[str, int]) -> dict[str, FileLock]:
        """Protect entries from eviction, and make room for the missing ones.

        Args:
            wanted: Name of an entry -> its size in bytes.

        Returns:
            Name of an entry -> an object that protects it while it is alive.

        Raises:
            CacheUnusableError: The folder cannot be written, or there is no room.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self._bookkeeping():
                held = {name: self._hold(name) for name in wanted}
                self._make_room(wanted)
                for name, size in wanted.items():
                    _reserve_place(Entry(self.path, name), size)
                return held
        except OSError as error:
            raise unwritable(self.path, error) from error

    def clear(self, entries: Iterable[Entry]) -> list[Entry]:
        """Remove entries; return those that are in use by a live process and stay."""
        in_use = []
        with self._bookkeeping():
            for entry in entries:
                if entry.in_use():
                    in_use.append(entry)
                else:
                    _evict(entry)
        return in_use

    def _hold(self, name: str) -> FileLock:
        Entry(self.path, name).in_use()
        # Any thread may drop the last reference.
        mark = FileLock(self.path / f".{name}.{uuid4().hex}.use", thread_local=False)
        mark.acquire()
        return mark

    def _make_room(self, wanted: Mapping[str, int]) -> None:
        others = [entry for entry in list_entries(self.path) if entry.name not in wanted]
        own, theirs = sum(wanted.values()), sum(entry.size for entry in others)
        missing = sum(size - Entry(self.path, name).allocated for name, size in wanted.items())
        free = shutil.disk_usage(self.path).free
        over, short = own + theirs - int(self.max_gb * GIB), missing - free
        if max(over, short) <= 0:
            return
        # Entries of a finished job of this process may wait for the garbage collector.
        gc.collect()
        chosen: list[Entry] = []
        unused = [entry for entry in others if not entry.in_use()]
        for entry in sorted(unused, key=lambda entry: entry.used):
            if max(over, short) > 0:
                chosen.append(entry)
                over, short = over - entry.size, short - entry.allocated
        if max(over, short) > 0:
            raise self._no_room(own, over, short, theirs - sum(e.size for e in unused), free)
        for entry in chosen:
            _evict(entry)
        log.info(
            "cache: removed %s (least recently used) to make room for %s",
            ", ".join(entry.name for entry in chosen),
            format_size(own),
        )

    def _no_room(self, own: int, over: int, short: int, busy: int, free: int) -> CacheUnusableError:
        reasons = []
        if own > self.max_gb * GIB:
            reasons.append(f"cache.max_gb is {self.max_gb:g}")
        elif over > 0:
            reasons.append(
                f"running processes use {format_size(busy)} of cache.max_gb={self.max_gb:g}"
            )
        if short > 0:
            reasons.append(f"{format_size(free)} of the disk are free")
        return CacheUnusableError(
            f"it needs {format_size(own)}, but {' and '.join(reasons)}",
            max(0, own - max(over, short)),
        )


def format_size(count: int) -> str:
    """Format a number of bytes in GiB, or in MiB if it is small."""
    return f"{count / GIB:.1f} GiB" if count >= GIB / 10 else f"{count / 2**20:.1f} MiB"


def _evict(entry: Entry) -> None:
    entry.remove()
    # A process that waits for this lock protects the entry, which then is not evicted.
    entry.fill_lock.unlink(missing_ok=True)


def _reserve_place(entry: Entry, size: int) -> None:
    """Create the part of a missing entry with its final size, which counts from now on."""
    # In this order: a part that has just been renamed is complete.
    if not entry.part.exists() and not entry.complete:
        with entry.part.open("wb") as file:
            file.truncate(size)
