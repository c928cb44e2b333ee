"""Time from the start of the command to the first training step."""

import logging
import time
from typing import Any

import pytorch_lightning as pl

log = logging.getLogger(__name__)


class FirstStep(pl.Callback):
    """Log once how long imports, data, weights and cache took.

    Args:
        since: Start of the command by `time.perf_counter`, seconds.
    """

    def __init__(self, since: float) -> None:
        self.since: float | None = since

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Log the time before the first batch."""
        if self.since is not None and trainer.is_global_zero:
            log.info("first step after %.1f s", time.perf_counter() - self.since)
        self.since = None
