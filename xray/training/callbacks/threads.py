"""One thread for training steps that are too short to be shared by several."""

from typing import Any

import pytorch_lightning as pl
import torch

from xray.model.network import Network


class SmallStepThreads(pl.Callback):
    """Train a head on cached activations with one CPU thread.

    Such a step takes a millisecond, and several threads would spend more time waiting for one
    another. The rule depends on the configuration alone, so equal seeds give equal results.
    Validation, testing and Grad-CAM use all threads.
    """

    def __init__(self) -> None:
        self._before: int | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Use one thread if only the head is trained, from the cache, on the CPU."""
        features: Any = getattr(getattr(trainer, "datamodule", None), "features", {})
        only_head = isinstance(pl_module, Network) and pl_module.cut == pl_module.blocks
        if only_head and "train" in features and pl_module.device.type == "cpu":
            self._before = self._before or torch.get_num_threads()
            torch.set_num_threads(1)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the number of threads."""
        if self._before is not None:
            torch.set_num_threads(self._before)
            self._before = None

    on_train_epoch_end = on_validation_start
    on_fit_end = on_validation_start

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Restore the number of threads; the next job of a sweep runs in this process."""
        self.on_validation_start(trainer, pl_module)
