"""Staged unfreezing."""

import logging

import pytorch_lightning as pl
from pytorch_lightning.strategies import DDPStrategy

from xray.errors import ConfigError
from xray.model.classifier import XrayClassifier

log = logging.getLogger(__name__)


class StagedUnfreezing(pl.Callback):
    """Freezes, at the start of every epoch, what the classifier says is frozen in it.

    The state follows from the epoch's number alone, so a resumed run is in the stage it belongs to.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a pair that cannot work.

        Raises:
            ConfigError: With DDP, which takes stock of what is trained once, before the first
                epoch.
        """
        assert isinstance(pl_module, XrayClassifier)
        if pl_module.unfreezing and isinstance(trainer.strategy, DDPStrategy):
            raise ConfigError(
                "model.unfreeze cannot be used with trainer.strategy=ddp, which fixes what is "
                "trained before the "
                "first epoch. Train on one GPU (trainer.gpus=1), or set model.trainable for the "
                "whole run."
            )

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Freeze and unfreeze for this epoch."""
        assert isinstance(pl_module, XrayClassifier)
        blocks = pl_module.frozen_at(trainer.current_epoch)
        if blocks != pl_module.frozen:
            log.info("epoch %d: %d of 5 blocks stay frozen", trainer.current_epoch, blocks)
            pl_module.freeze_blocks(blocks)
