"""Early stopping that follows the configuration of a resumed run."""

import logging
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping

log = logging.getLogger(__name__)


class RunEarlyStopping(EarlyStopping):
    """Lightning's EarlyStopping with two differences.

    A resumed run uses its configured patience instead of that of the checkpoint, and epochs with an
    undefined metric (NaN) are ignored instead of ending the training.

    Args:
        **options: Arguments of `pytorch_lightning.callbacks.EarlyStopping`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._warned = False

    @property
    def state_key(self) -> str:
        """The key of Lightning's callback, so states of older runs are found."""
        return super().state_key.replace(type(self).__qualname__, EarlyStopping.__qualname__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score and the number of epochs since; keep the configured patience."""
        super().load_state_dict({**state_dict, "patience": self.patience})
        self.stopped_epoch = 0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check the metric, unless it is undefined."""
        if not self._undefined(trainer):
            super().on_train_epoch_end(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check the metric, unless it is undefined."""
        if not self._undefined(trainer):
            super().on_validation_end(trainer, pl_module)

    def reason(self) -> str:
        """Return the reason why this callback ended the training."""
        if self.wait_count >= self.patience:
            epochs = f"{self.wait_count} epoch{'s' if self.wait_count > 1 else ''}"
            return (
                f"early stopping: {self.monitor} did not improve for {epochs} "
                f"(callbacks.early_stopping.patience={self.patience})"
            )
        return f"early stopping: {self.monitor} reached a configured threshold"

    def _undefined(self, trainer: pl.Trainer) -> bool:
        value = trainer.callback_metrics.get(self.monitor)
        undefined = value is not None and bool(torch.isnan(value).any())
        if undefined and not self._warned:
            self._warned = True
            log.warning(
                "%s is undefined in epoch %d, because the images lack a class; early stopping and "
                "checkpoints ignore such epochs",
                self.monitor,
                trainer.current_epoch,
            )
        return undefined
