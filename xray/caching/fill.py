"""An entry, computed block by block; or what is missing of it."""

import logging
from collections.abc import Callable, Iterable

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
from xray.caching.key import Plan
from xray.caching.part import Part

log = logging.getLogger(__name__)

BLOCK = 32
"""Images that are computed, and checked, together."""

Compute = Callable[[list[tuple[int, int]]], Iterable[Tensor]]
"""Spans of rows, each the first row and the one behind the last -> those rows, span by span."""


def fill(entry: Entry, plan: Plan, compute: Compute, label: str) -> None:
    """Compute an entry, or what is missing of it.

    Args:
        entry: To be computed; this process holds its lock.
        plan: What it is.
        compute: How; row v N + i is view v of image i.
        label: What is done, beside the bar.

    Raises:
        CacheUnusableError: The entry cannot be written.
    """
    part = Part(entry, plan, BLOCK)
    missing = part.missing()
    done = part.rows - sum(last - first for first, last in map(part.span, missing))
    if done:
        log.info("%s: going on where it stopped, %d of %d are done", plan.split, done, part.rows)
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
