"""Cache of frozen activations: the frozen blocks of a network run once over each image.

They compute the same activations in every epoch and in every job of a sweep. With the cache they
run once over each image (over each of `views` seeded augmentations of a training image), and
training, validation and testing start at the cut.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from xray.caching.fill import open_or_fill
from xray.caching.folder import CacheFolder, CacheUnusableError
from xray.caching.key import Plan, make_plans, settings_that_fit, to_cached
from xray.caching.record import Stored
from xray.data.datamodule import XrayDataModule
from xray.data.dataset import SplitDataset
from xray.data.sampler import Key
from xray.errors import ConfigError
from xray.model.classifier import XrayClassifier
from xray.types import SPLITS, Batch, Split

log = logging.getLogger(__name__)

Context = Callable[[], AbstractContextManager[object]]
"""Makes the autocast context of a run, so that cached and uncached runs compute alike."""


_OF_MODEL = ("cut", "to_cut", "from_cut", "normalize", "backbone", "head")
"""Attributes of a model whose activations can be cached."""
_OF_DATA = ("features", "serve_features", "train", "evaluate", "workers")
"""Attributes of a data module that can serve activations."""


@dataclass(frozen=True)
class FeatureCache:
    """Location and settings of the cache of activations.

    Args:
        folder: Folder of the memory maps.
        mode: "auto" continues without a cache if there can be none; "only" makes that an error;
            "off" never caches.
        views: Seeded augmentations cached of each training image.
        max_gb: Limit of the whole folder in GiB; the least recently used entries are evicted.
        device: Device that runs the frozen blocks.
        context: Makes the autocast context of the run.
    """

    folder: Path
    mode: str
    views: int
    max_gb: float
    device: torch.device
    context: Context

    def attach(
        self, model: XrayClassifier, data: XrayDataModule, splits: Sequence[Split] = SPLITS
    ) -> None:
        """Make the data module serve activations instead of images; compute missing ones.

        Images are used with a model or data module that lacks the frozen blocks of
        `XrayClassifier` or the interface of `XrayDataModule`; the log states the reason.

        Args:
            model: The classifier, whose frozen blocks are run.
            data: The data module.
            splits: The splits that will be used.

        Raises:
            ConfigError: There can be no cache, and the mode is "only".
        """
        if self.mode == "off":
            return
        try:
            _check_usable(model, data)
            self._attach(model, data, splits)
        except CacheUnusableError as error:
            if self.mode == "only":
                raise ConfigError(
                    f"cache.mode is 'only', but {error}. Pass cache=auto to continue without a "
                    "cache."
                ) from error
            served = getattr(data, "features", {})
            without = ", ".join(split for split in splits if split not in served)
            level = logging.WARNING if getattr(model, "cut", 0) else logging.INFO
            log.log(level, "%s: no cache of frozen activations: %s", without, error)

    def _attach(self, model: XrayClassifier, data: XrayDataModule, splits: Sequence[Split]) -> None:
        training = model.training
        model.to(self.device).eval()
        try:
            plans = make_plans(model, data, splits, self.views, self.context)
            held = self._reserve(model, plans)
            for split, plan in plans.items():
                dataset = data.dataset(split)
                compute = partial(
                    run_prefix,
                    plan=plan,
                    model=model,
                    dataset=dataset,
                    workers=partial(data.workers, dataset),
                    context=self.context,
                )
                array = open_or_fill(self.folder, plan, compute, "frozen blocks")
                features = FeatureDataset(dataset, array, plan.dtype, held[plan.name])
                data.serve_features(split, features)
        finally:
            model.train(training)

    def _reserve(self, model: XrayClassifier, plans: dict[Split, Plan]) -> dict[str, object]:
        """Protect the planned entries from eviction; if there is no room, name smaller settings."""
        sizes = {plan.name: plan.nbytes for plan in plans.values()}
        try:
            return dict(CacheFolder(self.folder, self.max_gb).reserve(sizes))
        except CacheUnusableError as error:
            if error.room is None:
                raise
            fits = settings_that_fit(model, plans, error.room, self.context)
            raise CacheUnusableError(f"{error}; {fits}") from error


def _check_usable(model: torch.nn.Module, data: object) -> None:
    """Check that activations of a model can replace the images of a data module.

    Raises:
        CacheUnusableError: One of them does not support it, or no block of the model is frozen.
    """
    for owner, needed in ((model, _OF_MODEL), (data, _OF_DATA)):
        missing = [name for name in needed if not hasattr(owner, name)]
        if missing:
            raise CacheUnusableError(
                f"{type(owner).__name__} has no {', '.join(missing)}, so images are used in every "
                "epoch"
            )
    if model.cut == 0:
        raise CacheUnusableError("no block of the backbone is frozen in all epochs")


class FeatureDataset(Dataset[Batch]):
    """A split as activations at the cut, instead of images.

    Args:
        split: The images.
        array: (views, N, h, w, C), or (views, N, F) if the activations are pooled.
        dtype: Type of the activations.
        held: Object that protects the array from eviction while the dataset is alive.
    """

    def __init__(
        self, split: SplitDataset, array: Stored, dtype: torch.dtype, held: object = None
    ) -> None:
        self.array, self.dtype, self._held = array, dtype, held
        self.targets = torch.tensor([sample.target for sample in split.samples])

    def __len__(self) -> int:
        return len(self.targets)

    def __getitems__(self, keys: list[int | Key]) -> Batch:
        """Return a batch; epoch e takes view e modulo the number of views, an index the first."""
        pairs = [key if isinstance(key, tuple) else (0, key) for key in keys]
        views = [epoch % len(self.array) for epoch, _ in pairs]
        index = torch.tensor([i for _, i in pairs])
        rows = torch.from_numpy(self.array[views, index.numpy()])
        features = rows.view(torch.bfloat16) if self.dtype == torch.bfloat16 else rows
        if features.ndim == 4:  # noqa: PLR2004
            features = features.permute(0, 3, 1, 2)
        return {"features": features, "target": self.targets[index], "index": index}


def run_prefix(
    spans: list[tuple[int, int]],
    *,
    plan: Plan,
    model: XrayClassifier,
    dataset: SplitDataset,
    workers: Callable[[], int],
    context: Context,
) -> Iterator[Tensor]:
    """Run the frozen blocks over images.

    Args:
        spans: Spans of rows, see `xray.caching.fill.Compute`.
        plan: Description of the entry.
        model: The classifier, in evaluation mode, on the device that computes.
        dataset: The images.
        workers: Returns the number of loader processes.
        context: Makes the autocast context of the run.

    Yields:
        (rows, C, h, w), or (rows, 2 C) float32 if the activations are pooled.
    """
    for image in _images(dataset, plan, spans, _workers(workers(), model.device)):
        # The contexts are left before each yield; else they would apply to the caller, too.
        with torch.inference_mode(), context():
            maps = model.to_cut(image.to(model.device, non_blocking=True))
            rows = to_cached(maps, pooled=plan.pooled)
        yield rows


def _workers(requested: int, device: torch.device) -> int:
    """Leave the cores to a network on the CPU: on two cores a second worker costs 7 % of time."""
    if device.type != "cpu":
        return requested
    return min(requested, max(1, torch.get_num_threads() // 2))


def _images(
    dataset: SplitDataset, plan: Plan, spans: list[tuple[int, int]], workers: int
) -> Iterator[Tensor]:
    """Yield (B, 1, H, W) uint8 for each span of rows, counted over all views."""
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
