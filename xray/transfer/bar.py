"""A progress bar of bytes, for what takes longer than one would wait in silence."""

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
    """Show how far it is, how fast it goes and how long it will take, from the third second on.

    Args:
        label: What is moved.
        total: Bytes in all; None where that is not known.
        done: Bytes that were there before; they do not count as speed.

    Yields:
        What is called with the bytes done so far.
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
