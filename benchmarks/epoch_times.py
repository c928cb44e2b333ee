"""Duration of each epoch of a Lightning run, without start-up."""

import json
import time
from pathlib import Path

import pytorch_lightning as pl
import torch


class EpochTimes(pl.Callback):
    """Write {"epochs": [...], "training": [...]} in seconds at the end of training.

    An epoch lasts from its start to the start of the next one and includes training, validation,
    checkpoints and loggers. Its training ends when validation starts.

    Args:
        path: JSON file to write.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.epochs: list[float] = []
        self.training: list[float] = []
        self._begin: float | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the previous epoch and start a new one."""
        self._end_epoch()
        self._begin = _now()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the training of the epoch; Lightning's sanity check has no epoch."""
        if self._begin is not None:
            self.training.append(_now() - self._begin)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the last epoch and write the file."""
        self._end_epoch()
        self.path.write_text(json.dumps({"epochs": self.epochs, "training": self.training}))

    def _end_epoch(self) -> None:
        if self._begin is not None:
            self.epochs.append(_now() - self._begin)


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
