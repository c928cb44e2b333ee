"""Model class in the checkpoints of models other than `XrayClassifier`."""

from typing import Any

import pytorch_lightning as pl

from xray.model.checkpoint import KEY, Identity, class_name, preprocessing


class CheckpointEntry(pl.Callback):
    """Add the entry "xray" to checkpoints; an `XrayClassifier` replaces it by its own."""

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add model class, input size and evaluation transforms."""
        size, transforms = preprocessing(getattr(trainer, "datamodule", None))
        identity = Identity(class_name(pl_module), None, size, transforms)
        checkpoint.setdefault(KEY, identity.as_dict())
