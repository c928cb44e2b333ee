"""The frozen prefix of a network, run once over a dataset.

A frozen network computes the same activations for the same pixels in every epoch and in every job
of a sweep. Here it runs once over each image (over each of `views` seeded draws of a training
image), and training, validation and testing start at the cut.
"""

import hashlib
import json
import logging
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

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

from xray.data.datamodule import XrayDataModule
from xray.data.dataset import SplitDataset
from xray.errors import ConfigError
from xray.features.store import FeatureDataset, FeatureWriter, open_features
from xray.model.classifier import XrayClassifier
from xray.types import SPLITS, Batch, Split

log = logging.getLogger(__name__)
GIB = 2**30
_PIXEL_PACKAGES = ("xray", "pillow", "albumentations", "opencv-python-headless", "torch")


@dataclass(frozen=True)
class FeatureCache:
    """Where and how activations are kept.

    Args:
        folder: Of the memory maps.
        mode: "auto" goes on without a cache where there can be none; "only" makes that an error;
            "off" never caches.
        views: Seeded draws kept of each training image.
        max_gb: More than this for one run is not cached, GiB.
        device: Where the prefix runs.
        context: Makes the autocast context of the run, so that cached activations are those of an
            uncached run.
    """

    folder: Path
    mode: str
    views: int
    max_gb: float
    device: torch.device
    context: Callable[[], AbstractContextManager[object]]

    def attach(self, model: XrayClassifier, data: XrayDataModule) -> None:
        """Let the data module serve activations in place of pixels; compute what is missing.

        Raises:
            ConfigError: In mode "only", when nothing is frozen or it does not fit.
        """
        if self.mode == "off":
            return
        if model.cut == 0:
            self._without("nothing of the backbone is frozen from the first epoch to the last")
            return
        training = model.training
        model.to(self.device).eval()
        try:
            self._attach(model, data)
        finally:
            model.train(training)

    def _attach(self, model: XrayClassifier, data: XrayDataModule) -> None:
        plans = {split: self._plan(model, data, split) for split in SPLITS}
        size = sum(math.prod(plan.shape) * plan.dtype.itemsize for plan in plans.values()) / GIB
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free / GIB
        if size > free:
            self._without(f"it would take {size:.1f} GiB, and {free:.1f} GiB are free")
            return
        if size > self.max_gb:
            self._without(f"it would take {size:.1f} GiB, more than cache.max_gb={self.max_gb}")
            return
        for split, plan in plans.items():
            array = open_features(plan.path, plan.dtype, plan.shape)
            if array is None:
                self._fill(model, data.dataset(split), plan, data.workers)
                array = open_features(plan.path, plan.dtype, plan.shape)
                assert array is not None
            else:
                log.info("%s: activations at block %d are in the cache", split, model.cut)
            data.features[split] = FeatureDataset(data.dataset(split), array, plan.dtype)

    def _without(self, reason: str) -> None:
        if self.mode == "only":
            raise ConfigError(
                f"cache.mode is 'only', but {reason}. Pass cache.mode=auto to go on without a "
                "cache."
            )
        log.info("no cache of frozen activations: %s", reason)

    def _plan(self, model: XrayClassifier, data: XrayDataModule, split: Split) -> "_Plan":
        dataset = data.dataset(split)
        transform = dataset.train if split == "train" else dataset.evaluate
        static = dataset.train.describe() == dataset.evaluate.describe()
        views = 1 if split != "train" or static else self.views
        with torch.no_grad(), self.context():
            probe = torch.zeros(
                1, 1, transform.size, transform.size, dtype=torch.uint8, device=self.device
            )
            one = model.to_cut(probe)
        description: dict[str, object] = {
            "split": split,
            "files": dataset.digest(times=True),
            "transform": transform.describe(),
            "seed": None if static or split != "train" else transform.seed,
            "views": views,
            "weights": _hash_prefix(model),
            "cut": model.cut,
            "dtype": str(one.dtype),
            "size": transform.size,
            "device": self.device.type,
            "versions": {name: version(name) for name in _PIXEL_PACKAGES},
        }
        key = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:16]
        path = self.folder / f"{split}_{key}.npy"
        return _Plan(path, (views, len(dataset), *one.shape[1:]), one.dtype, description)

    def _fill(
        self, model: XrayClassifier, dataset: SplitDataset, plan: "_Plan", workers: int
    ) -> None:
        writer = FeatureWriter(plan.path, plan.shape, plan.dtype)
        views, count = plan.shape[:2]
        try:
            with torch.no_grad(), self.context(), _progress() as progress:
                task = progress.add_task(
                    f"{plan.description['split']}: frozen prefix", total=views * count
                )
                for view in range(views):
                    for start, image in _images(dataset, view if plan.augmented else None, workers):
                        writer.write(view, start, model.to_cut(image.to(self.device)))
                        progress.advance(task, len(image))
            writer.close(plan.description)
        finally:
            writer.discard()


@dataclass(frozen=True)
class _Plan:
    path: Path
    shape: tuple[int, ...]
    dtype: torch.dtype
    description: dict[str, object]

    @property
    def augmented(self) -> bool:
        return self.description["split"] == "train"


def _images(dataset: SplitDataset, epoch: int | None, workers: int) -> Iterator[tuple[int, Tensor]]:
    """Yield (position of the first, (B, 1, H, W) uint8) batch by batch, as `epoch` draws them."""
    keys = [i if epoch is None else (epoch, i) for i in range(len(dataset))]
    loader: DataLoader[Batch] = DataLoader(
        dataset,
        batch_size=32,
        sampler=keys,
        num_workers=workers,
    )
    start = 0
    for batch in loader:
        yield start, batch["image"]
        start += len(batch["image"])


def _hash_prefix(model: XrayClassifier) -> str:
    digest = hashlib.sha256()
    for module in (model.normalize, model.backbone.prefix(model.cut)):
        for name, value in module.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    digest.update(model.backbone.name.encode())
    return digest.hexdigest()


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
