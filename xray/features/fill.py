"""The frozen prefix, run over what is not computed yet."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
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
from torch.utils.data import DataLoader

from xray.data.dataset import SplitDataset
from xray.features.entry import Entry
from xray.features.part import Part
from xray.features.plan import Plan, activations
from xray.model.classifier import XrayClassifier
from xray.types import Batch

log = logging.getLogger(__name__)

BLOCK = 32
"""Images that are computed, and checked, together."""


def fill(
    entry: Entry,
    plan: Plan,
    model: XrayClassifier,
    dataset: SplitDataset,
    *,
    workers: int,
    context: Callable[[], AbstractContextManager[object]],
) -> None:
    """Compute an entry, or what is missing of it.

    Args:
        entry: To be computed; this process holds its lock.
        plan: What it is.
        model: In evaluation mode, on the device that computes.
        dataset: The images.
        workers: Loader processes.
        context: Makes the autocast context of the run.

    Raises:
        CacheUnusableError: The entry cannot be written.
    """
    part = Part(entry, plan, BLOCK)
    missing = part.missing()
    done = part.rows - sum(last - first for first, last in map(part.span, missing))
    if done:
        log.info("%s: going on where it stopped, %d of %d are done", plan.split, done, part.rows)
    try:
        with torch.inference_mode(), context(), _progress() as progress:
            task = progress.add_task(
                f"{plan.split}: frozen prefix", total=part.rows, completed=done
            )
            spans = [part.span(number) for number in missing]
            images = _images(dataset, plan, spans, _workers(workers, model.device))
            for number, image in zip(missing, images, strict=True):
                batch = image.to(model.device, non_blocking=True)
                part.write(number, activations(model.to_cut(batch), pooled=plan.pooled))
                progress.advance(task, len(image))
    finally:
        part.close()
    part.finish()


def _workers(asked: int, device: torch.device) -> int:
    """Leave the cores to the network where it runs on them: on two, a second worker costs 7 %."""
    return asked if device.type != "cpu" else min(asked, max(1, torch.get_num_threads() // 2))


def _images(
    dataset: SplitDataset, plan: Plan, spans: list[tuple[int, int]], workers: int
) -> Iterator[Tensor]:
    """Yield (B, 1, H, W) uint8, rows `first` to `last` of all views, for each span."""
    drawn = plan.split == "train"
    keys = [
        [divmod(row, len(dataset)) if drawn else row for row in range(first, last)]
        for first, last in spans
    ]
    loader: DataLoader[Batch] = DataLoader(
        dataset,
        batch_sampler=keys,
        num_workers=min(workers, len(keys)),
        pin_memory=torch.cuda.is_available(),
    )
    for batch in loader:
        yield batch["image"]


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
