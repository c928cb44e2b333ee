"""How many processes must read images to keep the network busy."""

import logging
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_only

from xray.data.dataset import SplitDataset
from xray.machine import core_count
from xray.model.classifier import XrayClassifier

log = logging.getLogger(__name__)

IMAGES = 8
"""So many are read, and computed together, for the comparison."""


def choose_workers(
    dataset: SplitDataset,
    *,
    model: XrayClassifier,
    device: torch.device,
    context: Callable[[], AbstractContextManager[Any]],
    processes: int,
) -> int:
    """Compare how long an image takes to be read and to be computed.

    The numbers that a run ends with do not depend on it, so nothing is kept.

    Args:
        dataset: Whose first images are read, as for evaluation.
        model: Run forward, in evaluation mode; moved to `device`.
        device: Where it will run.
        context: Makes the autocast context of the run.
        processes: So many train together and share the cores.

    Returns:
        Loader processes: 1 to the number of cores; on the CPU, which the network needs, to half of
        its threads.
    """
    on_cpu = device.type == "cpu"
    limit = max(1, (torch.get_num_threads() // 2) if on_cpu else core_count() // processes)
    if limit == 1:
        return 1
    read, images = _read(dataset)
    computed = _compute(model.to(device), images.to(device), context)
    workers = min(limit, max(1, math.ceil(read / computed)))
    _say(workers, read, computed)
    return workers


def _read(dataset: SplitDataset) -> tuple[float, torch.Tensor]:
    """Read images; returns the shortest time of one, seconds, and the images."""
    times, images = [], []
    for index in range(min(IMAGES, len(dataset))):
        begin = time.perf_counter()
        images.append(dataset.pixels(index))
        times.append(time.perf_counter() - begin)
    return min(times), torch.stack(images)


def _compute(
    model: XrayClassifier, images: torch.Tensor, context: Callable[[], AbstractContextManager[Any]]
) -> float:
    """Run the network twice; returns seconds an image, of the second time."""
    training, seconds = model.training, 0.0
    model.eval()
    with torch.inference_mode(), context():
        for _ in range(2):
            begin = time.perf_counter()
            # Copying the result waits for it.
            model(images).cpu()
            seconds = time.perf_counter() - begin
    model.train(training)
    return seconds / len(images)


@rank_zero_only
def _say(workers: int, read: float, computed: float) -> None:
    log.info(
        "machine: %d loader worker%s (an image is read in %.1f ms, computed in %.1f ms); "
        "data.workers=<n> overrides",
        workers,
        "s" if workers > 1 else "",
        1e3 * read,
        1e3 * computed,
    )
