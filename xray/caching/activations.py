"""The frozen prefix of a network, run once over a dataset.

A frozen network computes the same activations for the same pixels in every epoch and in every job
of a sweep. Here it runs once over each image (over each of `views` seeded draws of a training
image), and training, validation and testing start at the cut.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from xray.caching.folder import CacheFolder, CacheUnusableError
from xray.caching.key import make_plans, what_fits
from xray.caching.prefix import run_prefix
from xray.caching.ready import ready
from xray.caching.store import FeatureDataset
from xray.data.datamodule import XrayDataModule
from xray.errors import ConfigError
from xray.model.classifier import XrayClassifier
from xray.types import SPLITS, Split

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureCache:
    """Where and how activations are kept.

    Args:
        folder: Of the memory maps.
        mode: "auto" goes on without a cache where there can be none; "only" makes that an error;
            "off" never caches.
        views: Seeded draws kept of each training image.
        max_gb: Of the whole folder, GiB; the entries unused for longest make room for new ones.
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

    def attach(
        self, model: XrayClassifier, data: XrayDataModule, splits: Sequence[Split] = SPLITS
    ) -> None:
        """Let the data module serve activations in place of pixels; compute what is missing.

        Args:
            model: Whose frozen part.
            data: Whose images.
            splits: Which splits will be needed.

        Raises:
            ConfigError: In mode "only", when there can be no cache.
        """
        if self.mode == "off":
            return
        training = model.training
        model.to(self.device).eval()
        try:
            self._attach(model, data, splits)
        except CacheUnusableError as error:
            if self.mode == "only":
                raise ConfigError(
                    f"cache.mode is 'only', but {error}. Pass cache=auto to go on without a cache."
                ) from error
            without = ", ".join(split for split in splits if split not in data.features)
            level = logging.WARNING if model.cut else logging.INFO
            log.log(level, "%s: no cache of frozen activations: %s", without, error)
        finally:
            model.train(training)

    def _attach(self, model: XrayClassifier, data: XrayDataModule, splits: Sequence[Split]) -> None:
        if model.cut == 0:
            raise CacheUnusableError(
                "nothing of the backbone is frozen from the first epoch to the last"
            )
        plans = make_plans(model, data, splits, self.views, self.context)
        sizes = {plan.name: plan.nbytes for plan in plans.values()}
        try:
            held = CacheFolder(self.folder, self.max_gb).reserve(sizes)
        except CacheUnusableError as error:
            if error.room is None:
                raise
            fits = what_fits(model, plans, error.room, self.context)
            raise CacheUnusableError(f"{error}; {fits}") from error
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
            array = ready(self.folder, plan, compute, "frozen prefix")
            served = FeatureDataset(dataset, array, plan.dtype, held[plan.name])
            data.serve_features(split, served)
