"""The best checkpoint's results on validation and test data."""

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
from xray.types import Split


def test_best(
    trainer: pl.Trainer,
    model: XrayClassifier,
    data: XrayDataModule,
    collector: PredictionCollector,
    best: Path,
    *,
    rule: Rule,
) -> dict[Split, Predictions]:
    """Predict the validation and test images with the best checkpoint.

    The operating point is fitted on the validation images and stored in the checkpoint.

    Args:
        trainer: A trainer with `collector` among its callbacks.
        model: The classifier; it is given the checkpoint's weights.
        data: Data module whose val and test splits are predicted.
        collector: Callback that collects the predictions.
        best: The checkpoint.
        rule: Rule that chooses the threshold.

    Returns:
        The predictions of both splits, with uncalibrated probabilities.
    """
    verdict = data.certificate().verdict
    loggers, trainer.loggers = trainer.loggers, []
    trainer.validate(model, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
    val = collector.predictions(data.dataset("val").samples, model.classes, verdict)
    if trainer.is_global_zero:
        # The test below loads the operating point with the checkpoint.
        store_operating_point(best, fitted_operating_point(val, rule))
    trainer.strategy.barrier()
    # The curves hold this validation already; the test is logged beside them.
    trainer.loggers = loggers
    trainer.test(model, datamodule=data, ckpt_path=best, weights_only=True, verbose=False)
    test = collector.predictions(data.dataset("test").samples, model.classes, verdict)
    return {"val": val, "test": test}


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
    shares, corrected = correct_prior_shift(predictions, val)
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
    path = run / layout.predictions("val")
    if path.is_file():
        return Predictions.from_csv(path)
    if rule.kind == "fixed":
        return None
    advice = f"Write it with `python -m xray.evaluate run={run} split=val`."
    raise RunError(f"threshold={rule.text} is chosen on {path}, which is missing. {advice}")


def fitted_operating_point(val: Predictions, rule: Rule) -> OperatingPoint:
    """Fit temperature and threshold on the predictions of the validation images."""
    return OperatingPoint(rule.text, thresholds([rule], val).get(rule.text), temperature(val))


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
        "thresholds": thresholds(reported_rules(rule), val),
        "temperature": temperature(val),
        "images": len(val.paths),
        "patients": len(set(val.patients)),
    }


def reported_rules(rule: Rule) -> list[Rule]:
    """Return the headline rule, followed by the rules that every test reports."""
    return list(dict.fromkeys((rule, *REPORTED)))
