"""A finished run that is ready for passes over its images."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from omegaconf import DictConfig

from xray import build, restore
from xray.data.datamodule import XrayDataModule
from xray.data.dataset import SplitDataset
from xray.model.classifier import XrayClassifier
from xray.runs.predictions import Predictions
from xray.runs.run import RunFiles
from xray.stats.rule import Rule, parse_rule
from xray.types import Split


class Session:
    """The data, the model and the Trainer of a finished run.

    Args:
        path: The run directory.
        images: The folder that contains the images of the run now; None: where they were.
        trust: Whether classes from outside xray may be imported.
        gpus: Number of GPUs, at most one; "auto" uses one if there is one.
        paths: Directories "data" and "cache" that phantoms and caches are written to; None: those
            of the default configuration. The saved ones are not used.

    Attributes:
        path: The run directory.
        files: Its files.
        images: The argument `images`.
        config: Its configuration.
        data: Its data module; no image is read before it is needed.
        model: Its best model, in evaluation mode.

    Raises:
        RunError: The directory is incomplete or damaged, or is not trusted.
    """

    def __init__(
        self,
        path: Path,
        *,
        images: Path | None = None,
        trust: bool = False,
        gpus: int | Literal["auto"] = "auto",
        paths: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.files = RunFiles(path)
        self.images = images
        config, data, model = restore.restore(path, images=images, paths=paths, trust=trust)
        self.config: DictConfig = config
        self.data: XrayDataModule = data
        self.model: XrayClassifier = model
        self._gpus = gpus

    @cached_property
    def _tester(self) -> tuple[Any, Any]:
        compute = build.build_compute(self.config, self._gpus, run=self.path)
        compute.apply(self.model)
        trainer, collector = restore.build_tester(self._gpus, compute)
        return trainer, collector

    @property
    def device(self) -> torch.device:
        """The device that passes run on."""
        device: torch.device = self._tester[0].strategy.root_device
        return device

    @property
    def context(self) -> Callable[[], AbstractContextManager[Any]]:
        """Makes the autocast context of the run's precision."""
        context: Callable[[], AbstractContextManager[Any]]
        context = self._tester[0].precision_plugin.forward_context
        return context

    @property
    def precision(self) -> str:
        """Lightning's name of the run's precision, such as "32-true"."""
        return str(self._tester[0].precision)

    @property
    def rule(self) -> Rule:
        """The rule that chose the threshold in training; 0.5 in older runs without one."""
        return parse_rule(str(self.config.get("threshold", 0.5)))

    def dataset(self, split: Split, *, fill: bool = True) -> SplitDataset:
        """Return the images of a split, after a check that they are those of training.

        Args:
            split: The split.
            fill: Whether all images are read into the pixel cache if they are not in it.

        Raises:
            DataError: The images are missing or damaged.
            RunError: The split contains other files than in training.
        """
        restore.open_images(self.path, self.data)
        build.build_pixels(self.config).attach(self.data, [split], fill=fill)
        return self.data.dataset(split)

    def predict(
        self, dataset: SplitDataset, *, batch_size: int, verdict: str | None = None
    ) -> Predictions:
        """Predict the images of a dataset, without temperature.

        Args:
            dataset: Images with labels.
            batch_size: Images per batch.
            verdict: What is known of the split; None: that of the run's own splits.
        """
        trainer, collector = self._tester
        self.data.set_batch_size(batch_size)
        trainer.test(self.model, dataloaders=self.data.loader(dataset), verbose=False)
        if verdict is None:
            verdict = self.data.certificate().verdict
        found: Predictions = collector.predictions(dataset.samples, self.model.classes, verdict)
        return found
