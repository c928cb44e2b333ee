"""The folder of all that is cached, kept within its bound."""

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
    """There can be no cache; the message says why, as a clause.

    Args:
        reason: Why.
        room: Bytes that there would be room for, where that is what is lacking.
    """

    def __init__(self, reason: str, room: int | None = None) -> None:
        super().__init__(reason)
        self.room = room


def unwritable(path: Path, error: OSError) -> CacheUnusableError:
    """Say that something could not be written, as the reason why there can be no cache."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CacheUnusableError(
            f"the disk of {path.parent} is full. Free some space, or pass cache.dir=<folder> on "
            "another disk"
        )
    return CacheUnusableError(
        f"{path} cannot be written ({error.strerror or error}). Pass cache.dir=<folder>"
    )


@dataclass(frozen=True)
class CacheFolder:
    """Entries, of which the least recently used make room for new ones.

    Args:
        path: Need not exist.
        max_gb: Of all entries together, GiB.
    """

    path: Path
    max_gb: float

    def _bookkeeping(self) -> FileLock:
        return FileLock(self.path / ".lock")

    def reserve(self, wanted: Mapping[str, int]) -> dict[str, FileLock]:
        """Hold entries against eviction, and make room for those that are not there.

        Args:
            wanted: Name -> bytes.

        Returns:
            Name -> what holds it, for as long as it is kept alive.

        Raises:
            CacheUnusableError: The folder cannot be written, or there is no room.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self._bookkeeping():
                held = {name: self._hold(name) for name in wanted}
                self._make_room(wanted)
                for name, size in wanted.items():
                    _take_place(Entry(self.path, name), size)
                return held
        except OSError as error:
            raise unwritable(self.path, error) from error

    def clear(self, entries: Iterable[Entry]) -> list[Entry]:
        """Remove entries; returns those that stay, since a live process uses them."""
        kept = []
        with self._bookkeeping():
            for entry in entries:
                if entry.in_use():
                    kept.append(entry)
                else:
                    _evict(entry)
        return kept

    def _hold(self, name: str) -> FileLock:
        Entry(self.path, name).in_use()
        # Released by whichever thread drops the last reference.
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
        # What a finished job of this process held may await the garbage collector.
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
            "cache: removed %s, unused for longest, to make room for %s",
            ", ".join(entry.name for entry in chosen),
            gib(own),
        )

    def _no_room(self, own: int, over: int, short: int, busy: int, free: int) -> CacheUnusableError:
        reasons = []
        if own > self.max_gb * GIB:
            reasons.append(f"more than cache.max_gb={self.max_gb:g}")
        elif over > 0:
            reasons.append(
                f"and {gib(busy)} of cache.max_gb={self.max_gb:g} are in use by live runs"
            )
        if short > 0:
            reasons.append(f"and {gib(free)} are free")
        return CacheUnusableError(
            f"it would take {gib(own)}, {', '.join(reasons)}", max(0, own - max(over, short))
        )


def gib(count: int) -> str:
    """Write a number of bytes in GiB."""
    return f"{count / GIB:.1f} GiB" if count >= GIB / 10 else f"{count / 2**20:.1f} MiB"


def _evict(entry: Entry) -> None:
    entry.remove()
    # Whoever waits for the lock holds the entry, which then is not evicted.
    entry.fill_lock.unlink(missing_ok=True)


def _take_place(entry: Entry, size: int) -> None:
    """Let an entry that is yet to be computed count, from now on, as large as it will be."""
    # In this order: what is no longer a part is complete.
    if not entry.part.exists() and not entry.complete:
        with entry.part.open("wb") as file:
            file.truncate(size)
