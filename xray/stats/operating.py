"""Operating points of a binary classifier: a threshold chosen on one set, applied to another.

An image is called positive where its score is above the threshold.
"""

from collections.abc import Sequence

import numpy as np

from xray.stats.bootstrap import DRAWS, Interval, resample
from xray.stats.rule import Rule
from xray.stats.scores import BINARY, Bools, Floats, confusion, ratio

PREVALENCES = (0.01, 0.05, 0.1, 0.2, 0.5)
Estimates = dict[str, tuple[float | None, Interval | None]]
"""Name -> value, None where undefined, and its interval."""


def choose_threshold(rule: Rule, truth: Bools, score: Floats) -> float | None:
    """Choose a threshold, halfway between the scores of two images.

    Args:
        rule: How.
        truth: (N,) of the validation images.
        score: (N,), higher for the positives.

    Returns:
        None where the images have one class only, and the rule needs both.
    """
    if rule.kind == "fixed":
        return rule.level
    if truth.all() or not truth.any():
        return None
    thresholds = _between(score)
    # Ascending, so that sensitivity falls and specificity rises.
    sensitivity = 1 - np.searchsorted(np.sort(score[truth]), thresholds, "right") / truth.sum()
    specificity = np.searchsorted(np.sort(score[~truth]), thresholds, "right") / (~truth).sum()
    # A share that is met exactly is not missed by a rounding error.
    slack = 1e-12
    if rule.kind == "sens":
        place = int(np.flatnonzero(sensitivity >= rule.level - slack)[-1])
    elif rule.kind == "spec":
        place = int(np.flatnonzero(specificity >= rule.level - slack)[0])
    else:
        index = sensitivity + specificity
        place = int(np.flatnonzero(index >= index.max() - slack)[-1])
    return float(thresholds[place])


def decision_scores(truth: Bools, called: Bools, weights: Floats) -> dict[str, Floats]:
    """Score decisions: sensitivity, specificity, PPV, NPV, accuracy.

    Args:
        truth: (N,).
        called: (N,).
        weights: (B, N).
    """
    (tn, fp), (fn, tp) = confusion(truth, called, BINARY, weights).transpose(1, 2, 0)
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
    """Give PPV and NPV where so large a share is positive, by Bayes' theorem."""
    tp, fp = prevalence * sensitivity, (1 - prevalence) * (1 - specificity)
    tn, fn = (1 - prevalence) * specificity, prevalence * (1 - sensitivity)
    return ratio(tp, tp + fp), ratio(tn, tn + fn)


def estimate_decisions(
    truth: Bools,
    called: Bools,
    patients: Sequence[str],
    *,
    prevalences: Sequence[float] = PREVALENCES,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Estimates, dict[float, Estimates]]:
    """Score decisions with intervals, also for other prevalences.

    Args:
        truth: (N,).
        called: (N,).
        patients: N.
        prevalences: Shares of positives.
        draws: Of the bootstrap.
        seed: Of the draws.

    Returns:
        The scores of `decision_scores`, and "ppv" and "npv" by prevalence.
    """

    def score(weights: Floats) -> dict[str, Floats]:
        own = decision_scores(truth, called, weights)
        for share in prevalences:
            pair = predictive_values(own["sensitivity"], own["specificity"], share)
            own[f"ppv@{share}"], own[f"npv@{share}"] = pair
        return own

    names = np.asarray(patients, dtype=object).astype(str)
    every = np.ones(len(truth), bool)
    shares = zip(
        ("sensitivity", "specificity", "ppv", "npv", "accuracy"),
        (truth, ~truth, called, ~called, every),
        strict=True,
    )
    counted = {name: len(np.unique(names[of])) for name, of in shares}
    found: Estimates = {
        name: (
            r.value if np.isfinite(r.value) else None,
            r.interval(share_of=counted.get(name, 0)),
        )
        for name, r in resample(score, patients, draws=draws, seed=seed).items()
    }
    return (
        {name: found[name] for name in counted},
        {
            share: {name: found[f"{name}@{share}"] for name in ("ppv", "npv")}
            for share in prevalences
        },
    )


def _between(score: Floats) -> Floats:
    """List thresholds that tell each two neighbouring scores apart, from calling all to none."""
    distinct = np.unique(score)
    lower = np.concatenate([[np.nextafter(distinct[0], -np.inf)], distinct])
    upper = np.concatenate([distinct, [np.nextafter(distinct[-1], np.inf)]])
    # Between neighbouring floats there is no third, and the upper must stay above.
    middle: Floats = np.minimum(lower + (upper - lower) / 2, np.nextafter(upper, -np.inf))
    middle[[0, -1]] = lower[0], distinct[-1]
    return middle
