"""The frozen prefix, run over the images of a split."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from xray.caching.key import Plan, activations
from xray.data.dataset import SplitDataset
from xray.model.classifier import XrayClassifier
from xray.types import Batch


def run_prefix(
    spans: list[tuple[int, int]],
    *,
    plan: Plan,
    model: XrayClassifier,
    dataset: SplitDataset,
    workers: Callable[[], int],
    context: Callable[[], AbstractContextManager[object]],
) -> Iterator[Tensor]:
    """Compute what is cached of rows of images.

    Args:
        spans: See `xray.caching.fill.Compute`.
        plan: What is cached.
        model: In evaluation mode, on the device that computes.
        dataset: The images.
        workers: Tells how many processes read.
        context: Makes the autocast context of the run.

    Yields:
        (rows, C, h, w), or (rows, 2 C) float32 where they are pooled.
    """
    for image in _images(dataset, plan, spans, _workers(workers(), model.device)):
        # Left before each yield: the modes would be those of the caller, too.
        with torch.inference_mode(), context():
            maps = model.to_cut(image.to(model.device, non_blocking=True))
            rows = activations(maps, pooled=plan.pooled)
        yield rows


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
