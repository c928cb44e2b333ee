"""Thresholds and temperature: fitted on validation images, applied to other images."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xray.errors import ConfigError, RunError
from xray.runs.predictions import Predictions
from xray.stats.calibration import (
    apply_temperature,
    estimate_prior,
    fit_bias_corrected,
    fit_temperature,
    reliability,
    reweight,
)
from xray.stats.intervals import rounded
from xray.stats.operating import choose_threshold, estimate_decisions
from xray.stats.rule import EVEN, HEADLINE, Rule
from xray.stats.scores import BINARY, BINS, Floats, brier, calibration_error, log_loss

log = logging.getLogger(__name__)


def check_rule(rule: Rule, classes: Sequence[str]) -> None:
    """Check that a threshold rule can be applied to these classes.

    Raises:
        ConfigError: If there are more than two classes, which have no threshold.
    """
    if rule != HEADLINE and len(classes) != BINARY:
        raise ConfigError(
            f"threshold={rule.text} requires two classes, but this model has {len(classes)}: "
            f"{', '.join(classes)}. Remove threshold."
        )


def decide(predictions: Predictions, rule: Rule, val: Predictions | None) -> Predictions:
    """Return predictions with the threshold that a rule chooses on validation images.

    If the validation images do not determine it (one class only), the threshold is 0.5 and a
    warning is logged.

    Args:
        predictions: Predictions of any split.
        rule: Rule that chooses the threshold.
        val: Predictions of the validation split; not needed if the rule is a number.
    """
    threshold = _threshold(rule, val)
    if threshold is None:
        log.warning(
            "threshold=%s cannot be chosen: the validation images do not have two classes. The "
            "threshold is 0.5.",
            rule.text,
        )
        threshold = EVEN
    return replace(predictions, threshold=threshold)


def thresholds(rules: Sequence[Rule], val: Predictions) -> dict[str, float | None]:
    """Choose thresholds on validation images.

    Args:
        rules: Rules that choose a threshold each.
        val: Predictions of the validation split.

    Returns:
        Thresholds by rule; None if the images do not determine it. Empty with more than two
        classes.
    """
    if len(val.classes) != BINARY or not _usable(val):
        return {}
    return {rule.text: _threshold(rule, val) for rule in rules}


def temperature(val: Predictions) -> float | None:
    """Fit a temperature on validation images; None if there is no best one, or no image."""
    return rounded(fit_temperature(val.probabilities, val.targets)) if _usable(val) else None


def operating_points(
    predictions: Predictions, rules: Sequence[Rule], val: Predictions
) -> list[dict[str, Any]]:
    """Apply thresholds that were chosen on validation images to other images of two classes.

    Args:
        predictions: Predictions of the other images.
        rules: Rules that choose a threshold each.
        val: Predictions of the validation split.

    Returns:
        For each rule "rule" and "threshold" (None if it cannot be chosen; the other keys are then
        missing), "sensitivity", "specificity", "ppv", "npv" and "accuracy" as {"value", "low",
        "high"}, and "at_prevalence": "ppv" and "npv" at other prevalences.
    """
    if not _usable(predictions):
        return []
    points: list[dict[str, Any]] = []
    for rule, threshold in thresholds(rules, val).items():
        point: dict[str, Any] = {"rule": rule, "threshold": threshold}
        if threshold is not None:
            point |= _decisions(replace(predictions, threshold=threshold))
        points.append(point)
    return points


def calibration(predictions: Predictions, val: Predictions) -> dict[str, Any] | None:
    """Measure calibration before and after applying a temperature fitted on validation images.

    Args:
        predictions: Predictions of the images to measure.
        val: Predictions of the validation split.

    Returns:
        "temperature" (None if there is no best one), "bins", and "ece", "log_loss", "brier" and
        "reliability" (for each bin "n", "predicted", "observed"), each "before" and "after"; and
        "class_shares" "on_val", "observed" in these images, and "estimated" from the probabilities
        alone. None if there are no images.
    """
    if not _usable(predictions, val):
        return None
    temperature = fit_temperature(val.probabilities, val.targets)
    before = _calibration_of(predictions, predictions.probabilities)
    after: dict[str, Any] = dict.fromkeys(before)
    if temperature is not None:
        scaled = apply_temperature(predictions.probabilities, temperature)
        after = _calibration_of(predictions, scaled)
    return {
        "temperature": rounded(temperature),
        "bins": BINS,
        **{name: {"before": before[name], "after": after[name]} for name in before},
        "class_shares": _class_shares(predictions, val),
    }


def correct_prior_shift(predictions: Predictions, val: Predictions) -> tuple[Floats, Predictions]:
    """Correct probabilities for class shares that differ from the validation images.

    No labels are used. The probabilities are calibrated on validation images by a temperature and
    class weights (Alexandari et al. 2020), then corrected by EM (Saerens et al. 2002).

    Args:
        predictions: Predictions of images with other class shares.
        val: Predictions of the validation split.

    Returns:
        Estimated class shares, shape (K,), and the predictions with corrected probabilities.

    Raises:
        RunError: If a class has no validation image.
    """
    on_val = _shares(val)
    if not on_val.all():
        missing = [name for name, share in zip(val.classes, on_val, strict=True) if not share]
        raise RunError(
            "prior=em needs validation images of every class, but there are none of "
            f"{', '.join(missing)}. Remove prior=em."
        )
    temperature, weights = fit_bias_corrected(val.probabilities, val.targets)
    calibrated = reweight(apply_temperature(predictions.probabilities, temperature), weights)
    estimated, corrected = estimate_prior(calibrated, on_val)
    return estimated, replace(predictions, probabilities=corrected)


def _shares(predictions: Predictions) -> Floats:
    counts = np.bincount(predictions.targets, minlength=len(predictions.classes))
    return np.asarray(counts / len(predictions.targets))


def _threshold(rule: Rule, val: Predictions | None) -> float | None:
    if rule.kind == "fixed":
        return rule.level
    if val is None or not _usable(val):
        return None
    return choose_threshold(rule, val.targets == 1, val.probabilities[:, 1])


def _usable(*predictions: Predictions) -> bool:
    """Check that there are images and that all probabilities are finite."""
    return all(len(p.targets) and np.isfinite(p.probabilities).all() for p in predictions)


def _class_shares(
    predictions: Predictions, val: Predictions
) -> dict[str, list[float | None] | None]:
    """Compare class shares; they are not estimated if validation images of a class are missing."""
    on_val, observed = _shares(val), _shares(predictions)
    estimated = correct_prior_shift(predictions, val)[0] if on_val.all() else None
    named = {"on_val": on_val, "observed": observed, "estimated": estimated}
    return {
        name: None if shares is None else [rounded(share) for share in shares]
        for name, shares in named.items()
    }


def _decisions(predictions: Predictions) -> dict[str, Any]:
    own, elsewhere = estimate_decisions(
        predictions.targets == 1, predictions.predicted == 1, predictions.patients
    )
    rows = [
        {"prevalence": share, **{name: found.as_dict() for name, found in estimates.items()}}
        for share, estimates in elsewhere.items()
    ]
    return {**{name: found.as_dict() for name, found in own.items()}, "at_prevalence": rows}


def _calibration_of(predictions: Predictions, probabilities: Floats) -> dict[str, Any]:
    targets, once = predictions.targets, np.ones((1, len(predictions.targets)))
    return {
        "ece": rounded(calibration_error(targets, probabilities, once)[0]),
        "log_loss": rounded(log_loss(targets, probabilities, once)[0]),
        "brier": rounded(brier(targets, probabilities, once)[0]),
        "reliability": [
            {"n": n, "predicted": rounded(predicted), "observed": rounded(observed)}
            for n, predicted, observed in reliability(probabilities, targets)
        ],
    }
