"""An entry that can be used: found, awaited, or computed."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from xray.caching.entry import Entry
from xray.caching.fill import Compute, fill
from xray.caching.folder import CacheUnusableError, unwritable
from xray.caching.key import Plan
from xray.caching.record import Stored, open_checked

log = logging.getLogger(__name__)


def ready(folder: Path, plan: Plan, compute: Compute, label: str) -> Stored:
    """Open an entry; where it is missing, compute it, or wait for the process that does.

    Args:
        folder: Of the cache.
        plan: What it is; this process holds the entry against eviction.
        compute: How.
        label: What is done, beside the bar.

    Returns:
        The memory map, (views, N, ...).

    Raises:
        CacheUnusableError: The entry cannot be written.
    """
    entry = Entry(folder, plan.name)
    array, _ = open_checked(entry, plan.description)
    if array is None:
        with _filling(entry):
            array, wrong = open_checked(entry, plan.description)
            if array is None:
                if wrong:
                    log.warning("%s %s: it is computed anew", entry.array, wrong)
                    entry.remove()
                fill(entry, plan, compute, label)
                array, _ = open_checked(entry, plan.description)
    else:
        log.info("%s: the %s are in the cache", plan.split, entry.kind)
    if array is None:
        raise CacheUnusableError(f"{entry.array} does not hold what was just written to it")
    with suppress(OSError):  # Another user's, in a folder that several share.
        os.utime(entry.record)
    return array


@contextmanager
def _filling(entry: Entry) -> Iterator[None]:
    """Be the only process that computes an entry."""
    lock = FileLock(entry.fill_lock)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("%s: another process computes the %s; waiting for it", entry.split, entry.kind)
            lock.acquire()
    except OSError as error:
        raise unwritable(entry.fill_lock, error) from error
    try:
        yield
    finally:
        lock.release()
