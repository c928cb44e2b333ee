"""Random numbers that depend on (seed, epoch) alone."""

import pytorch_lightning as pl
import torch


class EpochSeed(pl.Callback):
    """Seeds torch at the start of every training epoch.

    Checkpoints hold no random state. With this, the dropout of a resumed epoch is that of the run that was never
    stopped.

    Args:
        seed: Of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed; each process of a distributed run draws numbers of its own."""
        torch.manual_seed(
            (self.seed * 1_000_003 + trainer.current_epoch) * 4096 + trainer.global_rank
        )
