"""Predict with the best checkpoint, and fit its operating point on validation images."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from xray.data.datamodule import XrayDataModule
from xray.errors import ConfigError, RunError
from xray.evaluation.collector import PredictionCollector
from xray.evaluation.thresholds import correct_prior_shift, temperature, thresholds
from xray.model.checkpoint import store_operating_point
from xray.model.classifier import XrayClassifier
from xray.model.operating_point import OperatingPoint
from xray.runs import layout
from xray.runs.predictions import Predictions
from xray.stats.rule import REPORTED, Rule


def fit_best(
    trainer: pl.Trainer,
    model: XrayClassifier,
    data: XrayDataModule,
    collector: PredictionCollector,
    best: Path,
    *,
    rule: Rule,
) -> Predictions:
    """Fit the operating point of the best checkpoint on the validation images, and store it there.

    Args:
        trainer: A trainer with `collector` among its callbacks.
        model: The classifier; the weights of the checkpoint are loaded into it.
        data: Data module with the validation images.
        collector: Callback that collects the predictions.
        best: The checkpoint.
        rule: Rule that chooses the threshold.

    Returns:
        The predictions of the validation images, with uncalibrated probabilities.
    """
    loggers, trainer.loggers = trainer.loggers, []
    trainer.validate(model, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
    verdict = data.certificate().verdict
    val = collector.predictions(data.dataset("val").samples, model.classes, verdict)
    if trainer.is_global_zero:
        store_operating_point(best, fitted_operating_point(val, rule))
    trainer.strategy.barrier()
    # The learning curves already contain these validation metrics.
    trainer.loggers = loggers
    return val


def test_best(
    trainer: pl.Trainer,
    model: XrayClassifier,
    data: XrayDataModule,
    collector: PredictionCollector,
    best: Path,
) -> Predictions:
    """Predict the test images with the best checkpoint, whose operating point is also loaded.

    Args:
        trainer: A trainer with `collector` among its callbacks.
        model: The classifier; the weights of the checkpoint are loaded into it.
        data: Data module with the test images.
        collector: Callback that collects the predictions.
        best: The checkpoint.

    Returns:
        The predictions, with uncalibrated probabilities.
    """
    trainer.test(model, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
    verdict = data.certificate().verdict
    return collector.predictions(data.dataset("test").samples, model.classes, verdict)


def check_prior(rule: Rule) -> None:
    """Check that a threshold rule can be combined with prior=em.

    Raises:
        ConfigError: If the threshold is chosen on validation images, which have another prior.
    """
    if rule.kind != "fixed":
        raise ConfigError(
            f"threshold={rule.text} is chosen on validation images, whose class shares differ from "
            "those that prior=em estimates. Pass a number, such as threshold=0.5."
        )


def correct_prior(
    predictions: Predictions, val: Predictions | None, console: Console
) -> Predictions:
    """Correct probabilities for a prior shift, and print the estimated class shares.

    Args:
        predictions: Predictions of any images; their labels are not used.
        val: Predictions of the run's validation images.
        console: Console for the class shares.

    Raises:
        RunError: If validation predictions are missing, or contain no image of a class.
    """
    if val is None:
        raise RunError(
            "prior=em is fitted on predictions/val.csv of the run, which is missing. Write it with "
            "`python -m xray.evaluate split=val`."
        )
    shares, corrected = correct_prior_shift(predictions, val)
    listed = ", ".join(
        f"{name} {share:.3f}" for name, share in zip(val.classes, shares, strict=True)
    )
    console.print(f"class shares, estimated without labels: {listed}", soft_wrap=True)
    return corrected


def read_val(run: Path, rule: Rule) -> Predictions | None:
    """Read a run's predictions of its validation images.

    Args:
        run: The run directory.
        rule: Rule that chooses the threshold.

    Returns:
        None if the file is missing and the rule does not need it.

    Raises:
        RunError: If the file is damaged, or missing although the rule needs it.
    """
    path = run / layout.predictions("val")
    if path.is_file():
        return Predictions.from_csv(path)
    if rule.kind == "fixed":
        return None
    raise RunError(
        f"threshold={rule.text} is chosen on {path}, which is missing. Write it with "
        f"`python -m xray.evaluate run={run} split=val`."
    )


def fitted_operating_point(val: Predictions, rule: Rule) -> OperatingPoint:
    """Fit temperature and threshold on the predictions of the validation images."""
    return OperatingPoint(rule.text, thresholds([rule], val).get(rule.text), temperature(val))


def fitted_points(val: Predictions, rule: Rule) -> dict[str, Any]:
    """Return the contents of operating_points.json.

    Args:
        val: Predictions of the validation split.
        rule: Rule that chooses the threshold of the headline metrics.

    Returns:
        "classes", "rule", "thresholds" by rule (the second class is predicted above the threshold;
        empty with more than two classes), "temperature" (divisor of the logits), "images" and
        "patients" (numbers of validation images and patients).
    """
    return {
        "classes": list(val.classes),
        "rule": rule.text,
        "thresholds": thresholds(reported_rules(rule), val),
        "temperature": temperature(val),
        "images": len(val.paths),
        "patients": len(set(val.patients)),
    }


def reported_rules(rule: Rule) -> list[Rule]:
    """Return the headline rule, followed by the rules that every test reports."""
    return list(dict.fromkeys((rule, *REPORTED)))
