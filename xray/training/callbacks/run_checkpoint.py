"""Checkpoint of the best epoch, with a tie-breaker and support for moved run directories."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from xray.training.callbacks.relocation import relocate

TIE_BREAKER = "val/loss"
ROUNDING = 1e-6
"""Scores that differ by less are equal; float32 sums in another order differ by as much."""


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint with three differences.

    Among epochs with equal scores, the one with the lowest `val/loss` is kept: if an AUROC of 1 is
    reached in the first epoch, its probabilities are the worst calibrated. Epochs with an undefined
    metric (NaN) are never the best. And the state can be loaded from a moved run directory.

    Args:
        **options: Arguments of `pytorch_lightning.callbacks.ModelCheckpoint`.

    Attributes:
        best_epoch: Number of the best epoch, counted from 0; None if unknown.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.best_epoch: int | None = None
        self._loss: float | None = None

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Decide whether the epoch is kept; record its number and its loss if it is."""
        if current is not None and bool(torch.isnan(current).any()):
            return False
        keep = bool(super().check_monitor_top_k(trainer, current))
        loss = trainer.callback_metrics.get(TIE_BREAKER)
        if current is None or self.save_top_k != 1:
            return keep
        best = self.best_k_models.get(self.kth_best_model_path)
        tie = best is not None and abs(current - best) <= ROUNDING
        if tie and loss is not None and self._loss is not None:
            # Sums of several processes may differ in their last digits.
            keep = trainer.strategy.reduce_boolean_decision(float(loss) < self._loss)
        if keep:
            self.best_epoch = trainer.current_epoch
            self._loss = None if loss is None else float(loss)
        return keep

    def state_dict(self) -> dict[str, Any]:
        """Return Lightning's state, and number and loss of the best epoch."""
        return {**super().state_dict(), "loss": self._loss, "epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; the checkpoints are expected in this callback's directory."""
        # States of older versions have neither; ties are then not broken until a better epoch.
        self._loss, self.best_epoch = state_dict.get("loss"), state_dict.get("epoch")
        super().load_state_dict(relocate(state_dict, Path(str(self.dirpath))))
