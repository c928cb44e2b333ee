"""Decoded images, kept for the runs that train from pixels.

Reading and resizing a radiograph costs far more than augmenting it, and gives the same in every
epoch: it is done once, into a memory map of bytes.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from xray.caching.entry import Entry
from xray.caching.folder import CacheFolder, CacheUnusableError
from xray.caching.key import Plan
from xray.caching.ready import ready
from xray.caching.record import Stored, package_versions
from xray.data.datamodule import XrayDataModule
from xray.data.dataset import SplitDataset
from xray.data.transforms import SeededTransform, shared_beginning
from xray.types import SPLITS, Split

log = logging.getLogger(__name__)

_ANEW = "images are read anew in every epoch"
_NO_BEGINNING = (
    "transform.train and transform.eval do not begin with the same steps to (data.size, data.size) "
    "that draw nothing"
)


class PixelMap:
    """The images of a split in a memory map, opened anew by each process that is sent it.

    Args:
        path: A .npy file, (1, N, size, size) uint8.
        array: That file, mapped; None: mapped when an image is asked for.
        held: Kept alive as long as the map: what holds the file against eviction.
    """

    def __init__(self, path: Path, array: Stored | None = None, held: object = None) -> None:
        self.path, self._array, self._held = path, array, held

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Copy image `index`, (size, size) uint8: a transform may write into what it is given."""
        if self._array is None:
            self._array = np.load(self.path, mmap_mode="r")
        return np.array(self._array[0, index], dtype=np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        # Pickled, a memory map is a copy of all images; and the sender goes on holding the file.
        return {"path": self.path, "_array": None, "_held": None}


@dataclass(frozen=True)
class PixelCache:
    """Where and whether decoded images are kept.

    Args:
        folder: Of the memory maps, which they share with activations.
        mode: "auto" keeps them where it can; "off" never does.
        max_gb: Of the whole folder, GiB; the entries unused for longest make room for new ones.
    """

    folder: Path
    mode: str
    max_gb: float

    def attach(
        self, data: XrayDataModule, splits: Sequence[Split] = SPLITS, *, fill: bool = True
    ) -> None:
        """Let splits be served from memory maps in place of their files.

        Splits that are served from activations are left as they are. Where there can be no map,
        files are read on, and the log says why.

        Args:
            data: Whose images.
            splits: Which splits will be needed.
            fill: Whether what is missing is computed; else only what is there is used.
        """
        wanted = [s for s in splits if s not in data.features and data.dataset(s).stored is None]
        if self.mode == "off" or not wanted:
            return
        steps = shared_beginning(data.train, data.evaluate)
        if not steps:
            log.info("%s: %s: %s", ", ".join(wanted), _ANEW, _NO_BEGINNING)
            return
        try:
            self._attach(data, wanted, steps, fill=fill)
        except CacheUnusableError as error:
            without = [split for split in wanted if data.dataset(split).stored is None]
            log.warning("%s: %s: %s", ", ".join(without), _ANEW, error)

    def _attach(
        self, data: XrayDataModule, splits: Sequence[Split], steps: int, *, fill: bool
    ) -> None:
        begin = data.evaluate.before(steps)
        plans = [make_plan(split, data.dataset(split), begin) for split in splits]
        if not fill:
            plans = [plan for plan in plans if Entry(self.folder, plan.name).complete]
        if not plans:
            return
        sizes = {plan.name: plan.nbytes for plan in plans}
        held = CacheFolder(self.folder, self.max_gb).reserve(sizes)
        for plan in plans:
            dataset = data.dataset(plan.split)
            workers = partial(data.workers, dataset)
            compute = partial(decode, dataset=dataset, begin=begin, workers=workers)
            array = ready(self.folder, plan, compute, "decoding")
            path = Entry(self.folder, plan.name).array
            dataset.store(PixelMap(path, array, held[plan.name]), steps)


def make_plan(split: Split, dataset: SplitDataset, begin: SeededTransform) -> Plan:
    """Plan the decoded images of a split.

    Args:
        split: Which.
        dataset: Its images.
        begin: What is done to each.
    """
    description = {
        "split": split,
        "files": dataset.digest(times=True),
        "transform": begin.describe(),
        "size": begin.size,
        "versions": package_versions(),
    }
    shape = (1, len(dataset), begin.size, begin.size)
    return Plan(split, shape, torch.uint8, description, "pixels_")


def decode(
    spans: list[tuple[int, int]],
    *,
    dataset: SplitDataset,
    begin: SeededTransform,
    workers: Callable[[], int],
) -> Iterator[Tensor]:
    """Read rows of images, and begin to transform them.

    Args:
        spans: See `xray.caching.fill.Compute`.
        dataset: The images.
        begin: What is done to each.
        workers: Tells how many processes read.

    Yields:
        (rows, size, size) uint8.
    """
    keys = [list(range(first, last)) for first, last in spans]
    decoded = _Decoded(dataset, begin)
    yield from DataLoader(decoded, batch_sampler=keys, num_workers=min(workers(), len(keys)))


class _Decoded(Dataset[Tensor]):
    def __init__(self, dataset: SplitDataset, begin: SeededTransform) -> None:
        self.dataset, self.begin = dataset, begin

    def __getitem__(self, index: int) -> Tensor:
        return self.begin(self.dataset.image(index))[0]
