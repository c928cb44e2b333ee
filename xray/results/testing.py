"""The best checkpoint's results on validation and test data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from xray.data.datamodule import XrayDataModule
from xray.model.classifier import XrayClassifier
from xray.results import store
from xray.results.collector import PredictionCollector
from xray.results.figures import write_figures
from xray.results.predictions import Predictions
from xray.results.summary import summarise
from xray.results.table import metrics_table
from xray.types import Split


def test_best(
    trainer: pl.Trainer,
    model: XrayClassifier,
    data: XrayDataModule,
    collector: PredictionCollector,
    best: Path,
) -> dict[Split, Predictions]:
    """Validate and test the best checkpoint.

    Args:
        trainer: Has `collector` among its callbacks.
        model: Takes the checkpoint's weights.
        data: Its val and test splits are predicted.
        collector: Keeps the predictions.
        best: The checkpoint.
    """
    loggers, trainer.loggers = trainer.loggers, []
    trainer.validate(model, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
    val = collector.predictions(data.dataset("val").samples, model.classes)
    # The curves hold this validation already; the test is logged beside them.
    trainer.loggers = loggers
    trainer.test(model, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
    return {"val": val, "test": collector.predictions(data.dataset("test").samples, model.classes)}


def write_results(run: Path, predictions: Mapping[Split, Predictions], console: Console) -> None:
    """Write metrics.json, predictions/ and figures/ into a run directory, and show the metrics.

    Args:
        run: The run directory.
        predictions: Of each split.
        console: Where the table goes.
    """
    for split, predicted in predictions.items():
        predicted.to_csv(run / "predictions" / f"{split}.csv")
        write_figures(run, split, predicted, run / "metrics.csv")
    metrics: dict[str, Any] = {split: summarise(p) for split, p in predictions.items()}
    path = run / "metrics.json"
    # Evaluating one split leaves what is known of the others.
    store.write_json(path, {**(store.read_json(path) if path.exists() else {}), **metrics})
    console.print(metrics_table(metrics))
    console.print(f"run directory: {run}", soft_wrap=True)
    if (run / "gradcam").is_dir():
        console.print(f"overlays:      {run / 'gradcam'}", soft_wrap=True)
