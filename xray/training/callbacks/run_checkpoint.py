"""Checkpoints of a run: the better of equals, wherever its directory stands now."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

TIE_BREAKER = "val/loss"
ROUNDING = 1e-6
"""Scores that differ by less are equal: float32 sums of the same ranks differ by as much."""


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which breaks no ties, and forgets its best in a moved directory.

    A metric that saturates (an AUROC of 1 from the first epoch on) would keep the first epoch,
    whose probabilities are the worst calibrated: of equals the one of lower `val/loss` is kept.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._loss: float | None = None

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Tell whether this epoch is to be kept; its loss is remembered where it is."""
        keep = bool(super().check_monitor_top_k(trainer, current))
        loss = trainer.callback_metrics.get(TIE_BREAKER)
        if current is None or loss is None or self.save_top_k != 1:
            return keep
        best = self.best_k_models.get(self.kth_best_model_path)
        if best is not None and self._loss is not None and abs(current - best) <= ROUNDING:
            # Sums of several processes may differ in their last digits.
            keep = trainer.strategy.reduce_boolean_decision(float(loss) < self._loss)
        if keep:
            self._loss = float(loss)
        return keep

    def state_dict(self) -> dict[str, Any]:
        """Give Lightning's state, and the loss of the epoch that is kept."""
        return {**super().state_dict(), "loss": self._loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of a run whose checkpoints lay in another directory, file by file."""
        folder = Path(str(self.dirpath))
        moved = {**state_dict, "dirpath": str(folder)}
        for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
            moved[key] = str(folder / Path(state_dict[key]).name) if state_dict[key] else ""
        best = state_dict["best_k_models"]
        moved["best_k_models"] = {str(folder / Path(p).name): score for p, score in best.items()}
        # Runs of before ties were broken go on without breaking them until a better epoch.
        self._loss = state_dict.get("loss")
        super().load_state_dict(moved)
