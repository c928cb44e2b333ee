"""Progress bar of bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_SILENT_S = 2.0


@contextmanager
def byte_bar(label: str, total: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show progress, speed and remaining time, if the transfer takes longer than two seconds.

    Args:
        label: Name of the file.
        total: Total number of bytes; None if unknown.
        done: Number of bytes of an earlier attempt, which do not count as speed.

    Yields:
        A function that is called with the number of bytes done so far.
    """
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        transient=True,
    )
    task = progress.add_task(label, total=total, completed=done)
    began = monotonic()

    def show(done: int) -> None:
        progress.update(task, completed=done)
        if not progress.live.is_started and monotonic() - began > _SILENT_S:
            progress.start()

    try:
        yield show
    finally:
        if progress.live.is_started:
            progress.stop()
