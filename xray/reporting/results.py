"""Write the results of a run: metrics.json, predictions and figures."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from xray.evaluation.summary import summarize
from xray.evaluation.testing import fitted_operating_point, fitted_points, reported_rules
from xray.evaluation.thresholds import calibration, decide, operating_points, temperature
from xray.files import write_json
from xray.model.checkpoint import store_operating_point
from xray.reporting.terminal import metrics_table, operating_table, source_table
from xray.runs import layout
from xray.runs.predictions import Predictions, calibrate
from xray.runs.run import RunFiles
from xray.stats.rule import HEADLINE, Rule
from xray.types import Split

MAX_SOURCES = 6
"""The terminal shows results by source for at most this many sources; the report shows all."""


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

    If the predictions include the run's own validation split, the thresholds and the temperature
    fitted on it are also written to checkpoints/operating_points.json.

    Args:
        run: The run directory.
        predictions: The predictions of each split.
        console: The terminal that shows the tables.
        rule: The rule that chooses the threshold of the headline metrics.
        val: The predictions that thresholds and temperature are fitted on. None: the "val" entry
            of `predictions`, if there is one.
        beside: Further metrics to show next to the new ones, by column heading.
    """
    fitted = val or predictions.get("val")
    predictions = {split: decide(p, rule, fitted) for split, p in predictions.items()}
    metrics: dict[str, Any] = {
        # A threshold is not evaluated on the images that it was fitted on.
        split: _entry(p, fitted if val or split != "val" else None, rule)
        for split, p in predictions.items()
    }
    _write_predictions(run, _calibrated(predictions, fitted), metrics)
    # The entries of splits that were not evaluated this time are kept.
    write_json(run / layout.METRICS, {**RunFiles(run).metrics, **metrics})
    if val is None and "val" in predictions:
        _write_operating_points(run, predictions["val"], rule)
    _show(run, metrics, metrics | dict(beside or {}), console)


def write_validation(run: Path, val: Predictions, rule: Rule) -> None:
    """Write the predictions of the validation images and the operating points fitted on them.

    A run that is not tested needs both: `predict` applies the threshold, and a later test fits its
    operating points on these predictions.

    Args:
        run: The run directory.
        val: The predictions.
        rule: The rule that chooses the threshold.
    """
    decided = decide(val, rule, val)
    _calibrated({"val": decided}, val)["val"].to_csv(run / layout.predictions("val"))
    _write_operating_points(run, decided, rule)


def _write_operating_points(run: Path, val: Predictions, rule: Rule) -> None:
    if not (run / layout.CHECKPOINTS).is_dir():
        return
    write_json(run / layout.OPERATING_POINTS, fitted_points(val, rule))
    if (run / layout.BEST).is_file():
        store_operating_point(run / layout.BEST, fitted_operating_point(val, rule))


def _calibrated(
    predictions: Mapping[Split, Predictions], val: Predictions | None
) -> dict[Split, Predictions]:
    """Add probabilities at the temperature fitted on validation images, if there are any."""
    if val is None:
        return dict(predictions)
    fitted = temperature(val)
    return {
        split: replace(p, calibrated=calibrate(p.probabilities, fitted))
        for split, p in predictions.items()
    }


def _entry(predicted: Predictions, val: Predictions | None, rule: Rule) -> dict[str, Any]:
    """Compute the metrics of a split, with the operating points fitted on validation images."""
    summary = summarize(predicted)
    if val is None:
        return summary
    return {
        **summary,
        "operating_points": operating_points(predicted, reported_rules(rule), val),
        "calibration": calibration(predicted, val),
    }


def _write_predictions(
    run: Path, predictions: Mapping[Split, Predictions], metrics: Mapping[str, Any]
) -> None:
    # Imported here because training does not need scikit-learn.
    from xray.reporting.figures import write_figures

    for split, predicted in predictions.items():
        predicted.to_csv(run / layout.predictions(split))
        temperature = (metrics[split].get("calibration") or {}).get("temperature")
        write_figures(run, split, predicted, temperature=temperature)


def _show(
    run: Path, metrics: Mapping[str, Any], columns: Mapping[str, Any], console: Console
) -> None:
    console.print(metrics_table(columns))
    for split, entry in metrics.items():
        if entry.get("operating_points"):
            console.print(operating_table(entry["operating_points"], split))
        if 0 < len(entry.get("per_source", {})) <= MAX_SOURCES:
            console.print(source_table(entry["per_source"], split))
    console.print(f"run directory: {run}", soft_wrap=True)
    if (run / layout.GALLERIES).is_dir():
        console.print(f"overlays:      {run / layout.GALLERIES}", soft_wrap=True)
