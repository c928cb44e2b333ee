"""How long a run took from the command to its first training step."""

import logging
import time
from typing import Any

import pytorch_lightning as pl

log = logging.getLogger(__name__)


class FirstStep(pl.Callback):
    """Says, once, how long imports, data, weights and the cache took.

    Args:
        since: When the command began, by `time.perf_counter`, seconds.
    """

    def __init__(self, since: float) -> None:
        self.since: float | None = since

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Say it before the first batch."""
        if self.since is not None and trainer.is_global_zero:
            log.info("first step after %.1f s", time.perf_counter() - self.since)
        self.since = None
