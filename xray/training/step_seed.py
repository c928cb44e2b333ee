"""Random numbers that depend on (seed, step) alone."""

from typing import Any

import pytorch_lightning as pl
import torch


class StepSeed(pl.Callback):
    """Seeds torch before every training step.

    Checkpoints hold no random state, and a loader draws from the same generator when it begins.
    With this, the dropout of a resumed run is that of the run that was never stopped.

    Args:
        seed: Of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed; each process of a distributed run draws numbers of its own."""
        torch.manual_seed(
            (self.seed * 1_000_003 + trainer.global_step) * 4096 + trainer.global_rank
        )
