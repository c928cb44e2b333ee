"""Fitting, and what a stopped run says and leaves."""

import logging
import math
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from xray.data.datamodule import XrayDataModule
from xray.errors import TrainingError
from xray.model.classifier import XrayClassifier
from xray.training.loggers import drop_rows_after

log = logging.getLogger(__name__)
SIGTERM_STATUS, SIGINT_STATUS = 143, 130


def fit(
    trainer: pl.Trainer, model: XrayClassifier, data: XrayDataModule, run: Path, last: Path | None
) -> tuple[Path, float]:
    """Fit, from the start or from a run's last checkpoint.

    Args:
        trainer: With a ModelCheckpoint among its callbacks.
        model: What is fitted.
        data: What it is fitted on.
        run: The run directory, for messages and curves.
        last: The checkpoint to go on from.

    Returns:
        The best checkpoint and its score.

    Raises:
        TrainingError: When no epoch was completed with a score.
        SystemExit: On SIGTERM (status 143) and SIGINT (130); the message says how to go on.
    """
    if last and trainer.is_global_zero:
        # A checkpoint of a GPU is read where there is none, too.
        saved = torch.load(last, map_location="cpu", weights_only=True)
        drop_rows_after(run / "metrics.csv", saved["global_step"])
    model.train()
    try:
        trainer.fit(model, datamodule=data, ckpt_path=last, weights_only=True)
    except SystemExit as stop:
        if (run / "checkpoints" / "last.ckpt").exists():
            log.error("Stopped. Go on with: python -m xray.train resume=%s", run)
        else:
            log.error(
                "Stopped before the first epoch was complete: there is nothing to go on from."
            )
        raise SystemExit(SIGTERM_STATUS if trainer.received_sigterm else SIGINT_STATUS) from stop
    checkpoint = next(
        c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.monitor
    )
    score = checkpoint.best_model_score
    if score is None or not math.isfinite(score):
        raise TrainingError(
            f"No epoch ended with a finite {checkpoint.monitor}, so there is no best checkpoint "
            f"in {run}. "
            "Raise trainer.max_epochs, or monitor another metric."
        )
    return Path(checkpoint.best_model_path), float(score)
