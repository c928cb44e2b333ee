"""Fitting, and the reason why it ended."""

import logging
import math
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from xray.data.datamodule import XrayDataModule
from xray.errors import TrainingError
from xray.training.callbacks.early_stopping import RunEarlyStopping
from xray.training.callbacks.run_checkpoint import RunCheckpoint
from xray.training.loggers import drop_rows_after

log = logging.getLogger(__name__)
SIGTERM_STATUS, SIGINT_STATUS = 143, 130


class Fitted(NamedTuple):
    """Result of a completed training.

    Attributes:
        best: Checkpoint of the best epoch.
        score: Value of the monitored metric in that epoch.
        ended: Reason why the training ended, and the best epoch, as a clause.
    """

    best: Path
    score: float
    ended: str


def fit(
    trainer: pl.Trainer,
    model: pl.LightningModule,
    data: XrayDataModule,
    run: Path,
    last: Path | None,
) -> Fitted:
    """Fit a model, from the start or from the last checkpoint of a run.

    Args:
        trainer: A trainer with a ModelCheckpoint that monitors a metric.
        model: The model.
        data: The data module.
        run: The run directory, for messages and curves.
        last: The checkpoint to resume from; None starts from the beginning.

    Raises:
        TrainingError: No epoch ended with a defined value of the monitored metric.
        SystemExit: On SIGTERM (status 143) and SIGINT (130); the log states how to resume.
    """
    if last and trainer.is_global_zero:
        # Also reads a checkpoint of a GPU on a machine without one.
        saved = torch.load(last, map_location="cpu", weights_only=True)
        drop_rows_after(run / "metrics.csv", saved["global_step"])
    model.train()
    try:
        trainer.fit(model, datamodule=data, ckpt_path=last, weights_only=True)
    except SystemExit as stop:
        _log_interruption(trainer, run)
        raise SystemExit(SIGTERM_STATUS if trainer.received_sigterm else SIGINT_STATUS) from stop
    return _result(trainer, run)


def _result(trainer: pl.Trainer, run: Path) -> Fitted:
    checkpoint = next(
        c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.monitor
    )
    score = checkpoint.best_model_score
    if score is None or not math.isfinite(score):
        raise TrainingError(
            f"No epoch ended with a defined value of {checkpoint.monitor}, so there is no best "
            f"checkpoint in {run}. Raise trainer.max_epochs, or choose another monitor.metric."
        )
    ended = f"{end_reason(trainer)}; {_best(checkpoint, float(score))}"
    log.info("training ended after %d epochs: %s", trainer.current_epoch, ended)
    return Fitted(Path(checkpoint.best_model_path), float(score), ended)


def end_reason(trainer: pl.Trainer) -> str:
    """Return the reason why a completed training ended, as a clause."""
    if trainer.should_stop:
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, RunEarlyStopping) and callback.stopped_epoch:
                return callback.reason()
            if isinstance(callback, EarlyStopping) and callback.stopped_epoch:
                return f"early stopping of {callback.monitor} (patience {callback.patience})"
        return "a callback stopped the trainer"
    if trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch:
        return f"trainer.max_epochs={trainer.max_epochs} reached"
    return "a limit of the trainer was reached"


def _best(checkpoint: ModelCheckpoint, score: float) -> str:
    epoch = checkpoint.best_epoch if isinstance(checkpoint, RunCheckpoint) else None
    where = "" if epoch is None else f" in epoch {epoch}"
    return f"best {checkpoint.monitor} {score:.4f}{where}"


def _log_interruption(trainer: pl.Trainer, run: Path) -> None:
    if (run / "checkpoints" / "last.ckpt").exists():
        log.error(
            "Training was interrupted in epoch %d. Resume it with: python -m xray.train resume=%s",
            trainer.current_epoch,
            run,
        )
    else:
        log.error(
            "Training was interrupted before the first epoch was complete; it cannot be resumed. "
            "Start it again."
        )
