"""Collect the predictions of a validation or test pass."""

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
    """Callback that collects the outputs of the last validation or test pass."""

    def __init__(self) -> None:
        self._outputs: list[Mapping[str, Tensor]] = []

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Discard the outputs of the previous pass."""
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
        """Store the outputs of a step on the CPU."""
        self._outputs.append({name: value.cpu() for name, value in outputs.items()})

    on_test_batch_end = on_validation_batch_end

    def predictions(
        self, samples: list[Sample], classes: tuple[str, ...], verdict: str = UNAUDITED
    ) -> Predictions:
        """Return the collected predictions in the order of the batches.

        Args:
            samples: Samples of the split that was predicted.
            classes: Class names in the order of the model's outputs.
            verdict: Verdict of the split.
        """
        joined = {name: torch.cat([o[name] for o in self._outputs]) for name in self._outputs[0]}
        seen = [samples[i] for i in joined["index"].tolist()]
        return Predictions(
            # Absolute paths stay valid if a later command starts in another directory.
            paths=[str(sample.path.absolute()) for sample in seen],
            patients=[sample.owner for sample in seen],
            labels=[sample.label for sample in seen],
            targets=joined["target"].numpy(),
            probabilities=joined["probabilities"].double().numpy().astype(np.float64),
            classes=classes,
            verdict=verdict,
            sources=[sample.source for sample in seen],
        )
