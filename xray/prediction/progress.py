"""A progress bar that shows images per second."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
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

Item = TypeVar("Item")


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Show the speed of the last seconds, or the mean speed at the end."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} images/s", style="progress.data.speed")


def follow(items: Iterable[Item], label: str, *, total: int, console: Console) -> Iterator[Item]:
    """Yield items while a bar shows how many were yielded.

    Args:
        items: The items that remain.
        label: Text next to the bar.
        total: Number of items that remain.
        console: The terminal.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield from progress.track(items, total=total, description=label)
