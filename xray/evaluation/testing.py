"""The best checkpoint's results on validation and test data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from xray.data.datamodule import XrayDataModule
from xray.errors import ConfigError, RunError
from xray.evaluation.collector import PredictionCollector
from xray.evaluation.summary import summarise
from xray.evaluation.thresholds import (
    calibration,
    decide,
    operating_points,
    shifted,
    temperature,
    thresholds,
)
from xray.model.classifier import XrayClassifier
from xray.reporting.terminal import metrics_table, operating_table, source_table
from xray.runs import store
from xray.runs.predictions import Predictions
from xray.stats.rule import HEADLINE, REPORTED, Rule
from xray.types import Split

CHECKPOINTS, POINTS = "checkpoints", "operating_points.json"
MOST_SOURCES = 6
"""That are shown on the terminal."""


def test_best(
    trainer: pl.Trainer,
    model: XrayClassifier,
    data: XrayDataModule,
    collector: PredictionCollector,
    best: Path,
    *,
    rule: Rule,
) -> dict[Split, Predictions]:
    """Validate and test the best checkpoint; the classifier is told its threshold in between.

    Args:
        trainer: Has `collector` among its callbacks.
        model: Takes the checkpoint's weights.
        data: Its val and test splits are predicted.
        collector: Keeps the predictions.
        best: The checkpoint.
        rule: How the threshold is chosen.
    """
    verdict = data.certificate().verdict
    loggers, trainer.loggers = trainer.loggers, []
    trainer.validate(model, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
    val = collector.predictions(data.dataset("val").samples, model.classes, verdict)
    # Heatmaps of the test say what was called.
    model.threshold = decide(val, rule, val).threshold
    # The curves hold this validation already; the test is logged beside them.
    trainer.loggers = loggers
    trainer.test(model, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
    test = collector.predictions(data.dataset("test").samples, model.classes, verdict)
    return {"val": val, "test": test}


def write_results(
    run: Path,
    predictions: Mapping[Split, Predictions],
    console: Console,
    *,
    rule: Rule = HEADLINE,
    val: Predictions | None = None,
    beside: Mapping[str, Any] | None = None,
) -> None:
    """Write metrics.json, predictions/ and figures/ into a run directory, and show the metrics.

    Args:
        run: The run directory.
        predictions: Of each split.
        console: Where the tables go.
        rule: How the threshold of the headline metrics is chosen.
        val: What thresholds and temperature are fitted on; None: `predictions`' "val", if any. What
            the run's own teaches is kept beside the checkpoints.
        beside: Metrics of before that are shown, too, by what heads their column.
    """
    # sklearn, which training does without.
    from xray.reporting.figures import write_figures

    fitted = val or predictions.get("val")
    predictions = {split: decide(p, rule, fitted) for split, p in predictions.items()}
    for split, predicted in predictions.items():
        predicted.to_csv(run / "predictions" / f"{split}.csv")
    metrics: dict[str, Any] = {
        # What was fitted on a split is not measured there.
        split: _entry(p, fitted if val or split != "val" else None, rule)
        for split, p in predictions.items()
    }
    for split, predicted in predictions.items():
        mended = (metrics[split].get("calibration") or {}).get("temperature")
        write_figures(run, split, predicted, temperature=mended)
    path = run / "metrics.json"
    # Evaluating one split leaves what is known of the others.
    store.write_json(path, {**(store.read_json(path) if path.exists() else {}), **metrics})
    if val is None and "val" in predictions and (run / CHECKPOINTS).is_dir():
        store.write_json(run / CHECKPOINTS / POINTS, fitted_points(predictions["val"], rule))
    console.print(metrics_table(metrics | dict(beside or {})))
    for name, entry in metrics.items():
        if entry.get("operating_points"):
            console.print(operating_table(entry["operating_points"], name))
        # More stand in the report.
        if 0 < len(entry.get("per_source", {})) <= MOST_SOURCES:
            console.print(source_table(entry["per_source"], name))
    console.print(f"run directory: {run}", soft_wrap=True)
    if (run / "gradcam").is_dir():
        console.print(f"overlays:      {run / 'gradcam'}", soft_wrap=True)


def check_prior(rule: Rule) -> None:
    """Make sure that a threshold goes with corrected probabilities.

    Raises:
        ConfigError: It is to be chosen on validation images, whose probabilities are not corrected.
    """
    if rule.kind != "fixed":
        raise ConfigError(
            f"threshold={rule.text} is chosen on validation images, but prior=em gives others "
            "another prior: pass a number (threshold=0.5)."
        )


def correct_prior(
    predictions: Predictions, val: Predictions | None, console: Console
) -> Predictions:
    """Correct probabilities for class shares that differ from validation, and tell the shares.

    Args:
        predictions: Of any images; their labels are not looked at.
        val: Of the run's validation images.
        console: Where the shares are told.

    Raises:
        RunError: There are no validation predictions, or they lack a class.
    """
    if val is None:
        raise RunError(
            "prior=em is fitted on predictions/val.csv of the run, which is missing. Write it with "
            "`python -m xray.evaluate split=val`."
        )
    shares, corrected = shifted(predictions, val)
    told = ", ".join(f"{name} {share:.3f}" for name, share in zip(val.classes, shares, strict=True))
    console.print(f"class shares, estimated without labels: {told}", soft_wrap=True)
    return corrected


def read_val(run: Path, rule: Rule) -> Predictions | None:
    """Read what a run predicted of its validation images.

    Args:
        run: The run directory.
        rule: How the threshold is to be chosen.

    Returns:
        None where there is no such file and the rule needs none.

    Raises:
        RunError: The file is damaged, or missing where the rule needs it.
    """
    path = run / "predictions" / "val.csv"
    if path.is_file():
        return Predictions.from_csv(path)
    if rule.kind == "fixed":
        return None
    advice = f"Write it with `python -m xray.evaluate run={run} split=val`."
    raise RunError(f"threshold={rule.text} is chosen on {path}, which is missing. {advice}")


def fitted_points(val: Predictions, rule: Rule) -> dict[str, Any]:
    """Tell what validation images teach: whoever uses the checkpoint needs it, and no image.

    Args:
        val: Of the validation split.
        rule: How the threshold of the headline metrics was chosen with them.

    Returns:
        "classes", "rule", "thresholds" (by rule; the second class is called above it; none with
        more than two classes), "temperature" (logits are divided by it), "images", "patients".
    """
    return {
        "classes": list(val.classes),
        "rule": rule.text,
        "thresholds": thresholds(_rules(rule), val),
        "temperature": temperature(val),
        "images": len(val.paths),
        "patients": len(set(val.patients)),
    }


def _rules(rule: Rule) -> list[Rule]:
    return list(dict.fromkeys((rule, *REPORTED)))


def _entry(predicted: Predictions, val: Predictions | None, rule: Rule) -> Any:
    """Sum up a split, and apply to it what is fitted on validation images."""
    found = summarise(predicted)
    if val is None:
        return found
    return {
        **found,
        "operating_points": operating_points(predicted, _rules(rule), val),
        "calibration": calibration(predicted, val),
    }
