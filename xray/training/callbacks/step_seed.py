"""Random numbers that depend on (seed, epoch, batch) alone."""

from typing import Any

import pytorch_lightning as pl

from xray.model.seeding import seed_step


class StepSeed(pl.Callback):
    """Seed torch before every training step; see `xray.model.seeding.seed_step`.

    An `XrayClassifier` does this itself; the callback does it for other models.

    Args:
        seed: Seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed torch for the step."""
        seed_step(self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
