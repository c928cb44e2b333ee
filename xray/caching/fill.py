"""Open finished cache entries; compute missing ones, or wait for the process that does."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from torch import Tensor

from xray.caching.entry import Entry
from xray.caching.folder import CacheUnusableError, unwritable
from xray.caching.key import Plan
from xray.caching.part import Part
from xray.caching.record import Stored, open_checked

log = logging.getLogger(__name__)

BLOCK = 32
"""Number of images that are computed and verified as one block."""

Compute = Callable[[list[tuple[int, int]]], Iterable[Tensor]]
"""Function from spans of rows, (first row, last row + 1), to one tensor of rows per span."""


def open_or_fill(folder: Path, plan: Plan, compute: Compute, label: str) -> Stored:
    """Open an entry; if it is missing, compute it, or wait for the process that computes it.

    Args:
        folder: Folder of the cache.
        plan: Description of the entry, which this process protects from eviction.
        compute: Computes rows of the entry.
        label: Text of the progress bar.

    Returns:
        The memory map, (views, N, ...).

    Raises:
        CacheUnusableError: The entry cannot be written.
    """
    entry = Entry(folder, plan.name)
    array, _ = open_checked(entry, plan.description)
    if array is None:
        with _filling(entry):
            array, fault = open_checked(entry, plan.description)
            if array is None:
                if fault:
                    log.warning("%s %s. It is computed again.", entry.array, fault)
                    entry.remove()
                _fill(entry, plan, compute, label)
                array, _ = open_checked(entry, plan.description)
    else:
        log.info("%s: using cached %s", plan.split, entry.kind)
    if array is None:
        raise CacheUnusableError(f"{entry.array} does not contain the data just written to it")
    with suppress(OSError):  # The file may belong to another user.
        os.utime(entry.record)
    return array


@contextmanager
def _filling(entry: Entry) -> Iterator[None]:
    """Hold the lock of an entry, so that only one process computes it."""
    lock = FileLock(entry.fill_lock)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("%s: waiting for another process to compute %s", entry.split, entry.kind)
            lock.acquire()
    except OSError as error:
        raise unwritable(entry.fill_lock, error) from error
    try:
        yield
    finally:
        lock.release()


def _fill(entry: Entry, plan: Plan, compute: Compute, label: str) -> None:
    """Compute the missing blocks of an entry; row v N + i is view v of image i."""
    part = Part(entry, plan, BLOCK)
    missing = part.missing()
    done = part.rows - sum(last - first for first, last in map(part.span, missing))
    if done:
        log.info("%s: continuing an interrupted cache, %d of %d done", plan.split, done, part.rows)
    try:
        with _progress() as progress:
            task = progress.add_task(f"{plan.split}: {label}", total=part.rows, completed=done)
            blocks = compute([part.span(number) for number in missing])
            for number, rows in zip(missing, blocks, strict=True):
                part.write(number, rows)
                progress.advance(task, len(rows))
    finally:
        part.close()
    part.finish()


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} images/s" if task.speed else "")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
    )
