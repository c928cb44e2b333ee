"""Cache of decoded images, for splits that are not served from activations.

Reading and resizing a radiograph costs far more than augmenting it, and the result is the same in
every epoch: it is computed once and stored in a memory map of bytes.
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

from xray.caching.entry import Entry, package_versions
from xray.caching.fill import open_or_fill
from xray.caching.folder import CacheFolder, CacheUnusableError
from xray.caching.key import Plan
from xray.caching.record import Stored
from xray.data.datamodule import XrayDataModule
from xray.data.dataset import SplitDataset
from xray.data.transforms import SeededTransform, shared_beginning
from xray.types import SPLITS, Split

log = logging.getLogger(__name__)

_NO_CACHE = "no cache of decoded images, files are read in every epoch"
_OF_DATA = ("features", "dataset", "train", "evaluate", "workers")
"""Attributes of a data module whose images can be cached."""
_NO_BEGINNING = (
    "transform.train and transform.eval do not start with the same deterministic steps that resize "
    "to (data.size, data.size)"
)


class PixelMap:
    """The images of a split in a memory map, which each loader process opens itself.

    Args:
        path: A .npy file, (1, N, size, size) uint8.
        array: Memory map of that file; None: it is opened when the first image is requested.
        held: Object that protects the file from eviction while the map is alive.
    """

    def __init__(self, path: Path, array: Stored | None = None, held: object = None) -> None:
        self.path, self._array, self._held = path, array, held

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return a copy of image `index`, (size, size) uint8; a transform may write into it."""
        if self._array is None:
            self._array = np.load(self.path, mmap_mode="r")
        return np.array(self._array[0, index], dtype=np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        # A pickled memory map would contain all images. The sender keeps protecting the file.
        return {"path": self.path, "_array": None, "_held": None}


@dataclass(frozen=True)
class PixelCache:
    """Location and settings of the cache of decoded images.

    Args:
        folder: Folder of the memory maps, shared with activations.
        mode: "auto" caches if possible; "off" never caches.
        max_gb: Limit of the whole folder in GiB; the least recently used entries are evicted.
    """

    folder: Path
    mode: str
    max_gb: float

    def attach(
        self, data: XrayDataModule, splits: Sequence[Split] = SPLITS, *, fill: bool = True
    ) -> None:
        """Make the data module read splits from memory maps instead of files.

        Splits that are served from activations are not changed. If there can be no map, files are
        read as before, and the log states the reason.

        Args:
            data: The data module.
            splits: The splits that will be used.
            fill: Whether missing entries are computed; else only existing ones are used.
        """
        if self.mode == "off":
            return
        missing = [name for name in _OF_DATA if not hasattr(data, name)]
        if missing:
            log.info("%s: %s has no %s", _NO_CACHE, type(data).__name__, ", ".join(missing))
            return
        wanted = [s for s in splits if s not in data.features and data.dataset(s).stored is None]
        if not wanted:
            return
        steps = shared_beginning(data.train, data.evaluate)
        if not steps:
            log.info("%s: %s: %s", ", ".join(wanted), _NO_CACHE, _NO_BEGINNING)
            return
        try:
            self._attach(data, wanted, steps, fill=fill)
        except CacheUnusableError as error:
            without = [split for split in wanted if data.dataset(split).stored is None]
            log.warning("%s: %s: %s", ", ".join(without), _NO_CACHE, error)

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
            array = open_or_fill(self.folder, plan, compute, "decoding")
            path = Entry(self.folder, plan.name).array
            dataset.store(PixelMap(path, array, held[plan.name]), steps)


def make_plan(split: Split, dataset: SplitDataset, begin: SeededTransform) -> Plan:
    """Plan the decoded images of a split.

    Args:
        split: Name of the split.
        dataset: The images of the split.
        begin: Transform of each image before it is stored.
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
    """Read images and apply the first steps of their transforms.

    Args:
        spans: Spans of rows, see `xray.caching.fill.Compute`.
        dataset: The images.
        begin: Transform of each image before it is stored.
        workers: Returns the number of loader processes.

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
