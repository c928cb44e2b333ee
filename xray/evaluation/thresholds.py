"""What validation images teach about others: thresholds and a temperature, applied elsewhere."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xray.errors import ConfigError, RunError
from xray.evaluation.estimates import entry, plain
from xray.runs.predictions import Predictions
from xray.stats.calibration import (
    apply_temperature,
    fit_bias_corrected,
    fit_temperature,
    reliability,
    reweighted,
    shifted_prior,
)
from xray.stats.operating import Estimates, choose_threshold, estimate_decisions
from xray.stats.rule import EVEN, HEADLINE, Rule
from xray.stats.scores import BINARY, BINS, Floats, brier, calibration_error, log_loss

log = logging.getLogger(__name__)


def check_rule(rule: Rule, classes: Sequence[str]) -> None:
    """Make sure that a rule can be followed.

    Raises:
        ConfigError: There are more than two classes, and so no threshold.
    """
    if rule != HEADLINE and len(classes) != BINARY:
        listed = ", ".join(classes)
        reason = f"threshold={rule.text} is for two classes, but there are {len(classes)}: {listed}"
        raise ConfigError(f"{reason}. Leave it out.")


def decide(predictions: Predictions, rule: Rule, val: Predictions | None) -> Predictions:
    """Give predictions the threshold that a rule chooses on validation images.

    Where these leave it open, having one class only, it is 0.5 and a warning is logged.

    Args:
        predictions: Of any split.
        rule: How the threshold is chosen.
        val: Of the validation split; needed unless the rule is a number.
    """
    threshold = _threshold(rule, val)
    if threshold is None:
        reason = "the validation images are not of two classes"
        log.warning("threshold=%s chooses none: %s; 0.5 is used.", rule.text, reason)
        threshold = EVEN
    return replace(predictions, threshold=threshold)


def thresholds(rules: Sequence[Rule], val: Predictions) -> dict[str, float | None]:
    """Choose thresholds on validation images of two classes; there are none of more.

    Args:
        rules: How they are chosen.
        val: Of the validation split.

    Returns:
        Rule -> threshold; None where validation leaves it open.
    """
    if len(val.classes) != BINARY or not _sound(val):
        return {}
    return {rule.text: _threshold(rule, val) for rule in rules}


def temperature(val: Predictions) -> float | None:
    """Fit a temperature on validation images; None where none is best, or there is no image."""
    return plain(fit_temperature(val.probabilities, val.targets)) if _sound(val) else None


def operating_points(
    predictions: Predictions, rules: Sequence[Rule], val: Predictions
) -> list[dict[str, Any]]:
    """Apply thresholds chosen on validation images to others, of two classes.

    Args:
        predictions: Of the other split.
        rules: How the thresholds are chosen.
        val: Of the validation split.

    Returns:
        Of each rule "rule", "threshold" (None where validation leaves it open, and no more then),
        "sensitivity", "specificity", "ppv", "npv" and "accuracy" as {"value", "low", "high"}, and
        "at_prevalence": "ppv" and "npv" where another share of the patients is positive.
    """
    if not _sound(predictions):
        return []
    points: list[dict[str, Any]] = []
    for rule, threshold in thresholds(rules, val).items():
        point: dict[str, Any] = {"rule": rule, "threshold": threshold}
        if threshold is not None:
            point |= _applied(replace(predictions, threshold=threshold))
        points.append(point)
    return points


def calibration(predictions: Predictions, val: Predictions) -> dict[str, Any] | None:
    """Fit a temperature on validation images, and tell what it does to others.

    Args:
        predictions: Of the other split.
        val: Of the validation split.

    Returns:
        "temperature" (None where none is best), "bins", and "ece", "log_loss", "brier" and
        "reliability" (a bin each: "n", "predicted", "observed") "before" and "after"; and
        "class_shares" "on_val", "observed" here, and "estimated" here from the probabilities alone.
        None where there are no images.
    """
    if not _sound(predictions, val):
        return None
    temperature = fit_temperature(val.probabilities, val.targets)
    before = _calibrated(predictions, predictions.probabilities)
    after: dict[str, Any] = dict.fromkeys(before)
    if temperature is not None:
        after = _calibrated(predictions, apply_temperature(predictions.probabilities, temperature))
    return {
        "temperature": plain(temperature),
        "bins": BINS,
        **{name: {"before": before[name], "after": after[name]} for name in before},
        "class_shares": _class_shares(predictions, val),
    }


def shifted(predictions: Predictions, val: Predictions) -> tuple[Floats, Predictions]:
    """Correct probabilities for other class shares than validation images have, without labels.

    They are calibrated on validation images by a temperature and class weights (Alexandari et al.
    2020), then corrected by EM (Saerens et al. 2002).

    Args:
        predictions: Of images whose class shares may be others.
        val: Of the validation split.

    Returns:
        (K,) estimated class shares, and the predictions with corrected probabilities.

    Raises:
        RunError: A class has no validation image.
    """
    on_val = _shares(val)
    if not on_val.all():
        missing = [name for name, share in zip(val.classes, on_val, strict=True) if not share]
        raise RunError(
            f"prior=em starts from the class shares of the validation images, of which none is of "
            f"{', '.join(missing)}. Leave prior out."
        )
    temperature, weights = fit_bias_corrected(val.probabilities, val.targets)
    mended = reweighted(apply_temperature(predictions.probabilities, temperature), weights)
    estimated, corrected = shifted_prior(mended, on_val)
    return estimated, replace(predictions, probabilities=corrected)


def _shares(predictions: Predictions) -> Floats:
    counts = np.bincount(predictions.targets, minlength=len(predictions.classes))
    return np.asarray(counts / len(predictions.targets))


def _threshold(rule: Rule, val: Predictions | None) -> float | None:
    if rule.kind == "fixed":
        return rule.level
    if val is None or not _sound(val):
        return None
    return choose_threshold(rule, val.targets == 1, val.probabilities[:, 1])


def _sound(*predictions: Predictions) -> bool:
    return all(len(p.targets) and np.isfinite(p.probabilities).all() for p in predictions)


def _class_shares(
    predictions: Predictions, val: Predictions
) -> dict[str, list[float | None] | None]:
    """Compare class shares; none are estimated where validation lacks a class."""
    on_val, observed = _shares(val), _shares(predictions)
    estimated = shifted(predictions, val)[0] if on_val.all() else None
    named = {"on_val": on_val, "observed": observed, "estimated": estimated}
    return {
        name: None if shares is None else [plain(share) for share in shares]
        for name, shares in named.items()
    }


def _applied(predictions: Predictions) -> dict[str, Any]:
    own, elsewhere = estimate_decisions(
        predictions.targets == 1, predictions.predicted == 1, predictions.patients
    )
    rows = [{"prevalence": share, **_entries(values)} for share, values in elsewhere.items()]
    return {**_entries(own), "at_prevalence": rows}


def _entries(estimates: Estimates) -> dict[str, Any]:
    return {name: entry(value, interval) for name, (value, interval) in estimates.items()}


def _calibrated(predictions: Predictions, probabilities: Floats) -> dict[str, Any]:
    targets, once = predictions.targets, np.ones((1, len(predictions.targets)))
    return {
        "ece": plain(calibration_error(targets, probabilities, once)[0]),
        "log_loss": plain(log_loss(targets, probabilities, once)[0]),
        "brier": plain(brier(targets, probabilities, once)[0]),
        "reliability": [
            {"n": n, "predicted": plain(predicted), "observed": plain(observed)}
            for n, predicted, observed in reliability(probabilities, targets)
        ],
    }
