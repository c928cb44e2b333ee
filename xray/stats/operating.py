"""Operating points of a binary classifier: thresholds chosen on one set and applied to another.

An image is predicted positive if its score is above the threshold.
"""

from collections.abc import Sequence

import numpy as np

from xray.stats.bootstrap import DRAWS, estimate
from xray.stats.intervals import Estimate
from xray.stats.rule import Rule
from xray.stats.scores import BINARY, Bools, Floats, confusion, ratio

PREVALENCES = (0.01, 0.05, 0.1, 0.2, 0.5)
"""Prevalences for which PPV and NPV are reported."""
_SLACK = 1e-12
"""Tolerance that keeps rounding errors from missing a level that is met exactly."""


def choose_threshold(rule: Rule, truth: Bools, score: Floats) -> float | None:
    """Choose a threshold halfway between the scores of two images.

    Args:
        rule: Rule that chooses the threshold.
        truth: Whether each validation image is positive, shape (N,).
        score: Score of each image, higher for positive images, shape (N,).

    Returns:
        None if the images have one class only and the rule needs both.
    """
    if rule.kind == "fixed":
        return rule.level
    if truth.all() or not truth.any():
        return None
    thresholds = _candidates(score)
    # Thresholds ascend, so sensitivity decreases and specificity increases.
    sensitivity = 1 - np.searchsorted(np.sort(score[truth]), thresholds, "right") / truth.sum()
    specificity = np.searchsorted(np.sort(score[~truth]), thresholds, "right") / (~truth).sum()
    if rule.kind == "sens":
        place = int(np.flatnonzero(sensitivity >= rule.level - _SLACK)[-1])
    elif rule.kind == "spec":
        place = int(np.flatnonzero(specificity >= rule.level - _SLACK)[0])
    else:
        index = sensitivity + specificity
        place = int(np.flatnonzero(index >= index.max() - _SLACK)[-1])
    return float(thresholds[place])


def decision_scores(truth: Bools, predicted: Bools, weights: Floats) -> dict[str, Floats]:
    """Compute sensitivity, specificity, PPV, NPV and accuracy.

    Args:
        truth: Whether each image is positive, shape (N,).
        predicted: Whether each image is predicted positive, shape (N,).
        weights: Weights of the images, shape (B, N).

    Returns:
        Scores by name, each with shape (B,).
    """
    (tn, fp), (fn, tp) = confusion(truth, predicted, BINARY, weights).transpose(1, 2, 0)
    return {
        "sensitivity": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "ppv": ratio(tp, tp + fp),
        "npv": ratio(tn, tn + fn),
        "accuracy": ratio(tp + tn, tp + fp + fn + tn),
    }


def predictive_values(
    sensitivity: Floats, specificity: Floats, prevalence: float
) -> tuple[Floats, Floats]:
    """Compute PPV and NPV at another prevalence by Bayes' theorem.

    Args:
        sensitivity: Sensitivities in [0, 1], shape (B,).
        specificity: Specificities in [0, 1], shape (B,).
        prevalence: Share of positive images in (0, 1).
    """
    tp, fp = prevalence * sensitivity, (1 - prevalence) * (1 - specificity)
    tn, fn = (1 - prevalence) * specificity, prevalence * (1 - sensitivity)
    return ratio(tp, tp + fp), ratio(tn, tn + fn)


def estimate_decisions(
    truth: Bools,
    predicted: Bools,
    patients: Sequence[str],
    *,
    prevalences: Sequence[float] = PREVALENCES,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[dict[str, Estimate], dict[float, dict[str, Estimate]]]:
    """Compute the scores of decisions with intervals, also at other prevalences.

    Args:
        truth: Whether each image is positive, shape (N,).
        predicted: Whether each image is predicted positive, shape (N,).
        patients: Patient ID of each image.
        prevalences: Shares of positive images.
        draws: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        The estimates of `decision_scores`, and for each prevalence those of "ppv" and "npv".
    """

    def score(weights: Floats) -> dict[str, Floats]:
        own = decision_scores(truth, predicted, weights)
        for share in prevalences:
            pair = predictive_values(own["sensitivity"], own["specificity"], share)
            own[f"ppv@{share}"], own[f"npv@{share}"] = pair
        return own

    shares = _count_patients(truth, predicted, patients)
    found = estimate(score, patients, shares, draws=draws, seed=seed)
    elsewhere = {
        share: {name: found[f"{name}@{share}"] for name in ("ppv", "npv")} for share in prevalences
    }
    return {name: found[name] for name in shares}, elsewhere


def _count_patients(truth: Bools, predicted: Bools, patients: Sequence[str]) -> dict[str, int]:
    """Return the number of patients with the images that each score is a proportion of."""
    names = np.asarray(patients, dtype=object).astype(str)
    subsets = {
        "sensitivity": truth,
        "specificity": ~truth,
        "ppv": predicted,
        "npv": ~predicted,
        "accuracy": np.ones(len(truth), bool),
    }
    return {name: len(np.unique(names[subset])) for name, subset in subsets.items()}


def _candidates(score: Floats) -> Floats:
    """Return ascending thresholds that separate neighboring scores, from all positive to none."""
    distinct = np.unique(score)
    lower = np.concatenate([[np.nextafter(distinct[0], -np.inf)], distinct])
    upper = np.concatenate([distinct, [np.nextafter(distinct[-1], np.inf)]])
    # There is no float between adjacent floats, and the upper score must stay above the threshold.
    middle: Floats = np.minimum(lower + (upper - lower) / 2, np.nextafter(upper, -np.inf))
    middle[[0, -1]] = lower[0], distinct[-1]
    return middle
