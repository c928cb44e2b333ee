"""Keeps what a validation or test pass predicted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from xray.integrity.verdict import UNAUDITED
from xray.runs.predictions import Predictions
from xray.types import Sample


class PredictionCollector(pl.Callback):
    """Collects the outputs of the last validation or test pass."""

    def __init__(self) -> None:
        self._outputs: list[Mapping[str, Tensor]] = []

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew."""
        self._outputs = []

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Keep the step's outputs."""
        self._outputs.append({name: value.cpu() for name, value in outputs.items()})

    on_test_batch_end = on_validation_batch_end

    def predictions(
        self, samples: list[Sample], classes: tuple[str, ...], verdict: str = UNAUDITED
    ) -> Predictions:
        """Give what was collected.

        Args:
            samples: The split that the pass ran over.
            classes: In the order of the network's outputs.
            verdict: What the split is worth.
        """
        joined = {name: torch.cat([o[name] for o in self._outputs]) for name in self._outputs[0]}
        seen = [samples[i] for i in joined["index"].tolist()]
        return Predictions(
            # Whoever reads them later may stand elsewhere.
            paths=[str(sample.path.absolute()) for sample in seen],
            patients=[sample.owner for sample in seen],
            labels=[sample.label for sample in seen],
            targets=joined["target"].numpy(),
            probabilities=joined["probabilities"].double().numpy().astype(np.float64),
            classes=classes,
            verdict=verdict,
            sources=[sample.source for sample in seen],
        )
