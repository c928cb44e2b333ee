"""One thread for steps that are too small to be shared."""

from typing import Any

import pytorch_lightning as pl
import torch

from xray.model.classifier import XrayClassifier


class SmallStepThreads(pl.Callback):
    """Trains a head on cached activations, on the CPU, with one compute thread.

    Such a step takes a millisecond. Threads wait for one another at each of its operations, and
    where another process has one of the cores they wait for its time slice. The rule depends on the
    configuration alone, so that the same seed gives the same numbers; a measurement might decide
    otherwise on another day. Validation, testing and Grad-CAM keep all threads.
    """

    def __init__(self) -> None:
        self._before: int | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take one thread, where only the head is trained, from the cache."""
        features: Any = getattr(getattr(trainer, "datamodule", None), "features", {})
        assert isinstance(pl_module, XrayClassifier)
        only_head = pl_module.cut == len(list(pl_module.backbone.children()))
        if only_head and "train" in features and pl_module.device.type == "cpu":
            self._before = self._before or torch.get_num_threads()
            torch.set_num_threads(1)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the threads back."""
        if self._before is not None:
            torch.set_num_threads(self._before)
            self._before = None

    on_train_epoch_end = on_validation_start
    on_fit_end = on_validation_start

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Give them back where a run is stopped, since the next job of a sweep is this process."""
        self.on_validation_start(trainer, pl_module)
