"""The figures that a split is summed up in: metrics.json's entry for it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xray.results.estimate import Entry, entry, plain
from xray.results.predictions import Predictions
from xray.stats.bootstrap import Resampled, resample
from xray.stats.scores import BINARY, Bools, Floats, all_scores, class_scores

WITHOUT_INTERVAL = "ece"
"""Resamples are less well calibrated than their set: its interval would miss the truth mostly."""


def summarise(predictions: Predictions) -> dict[str, Any]:
    """Sum up a split's predictions in plain values, ready for JSON.

    A metric that the images leave undefined (0/0: AUROC where a class is absent, precision where no
    image is called positive) has the value None. Intervals are of 95 %, by a bootstrap over
    patients, and None where there can be none.

    Args:
        predictions: Of N images and K classes.

    Returns:
        "n", "patients", "verdict" (what the split is worth), "classes", "threshold" (of the second
        class's probability; None with more than two), each metric of `all_scores` as {"value",
        "low", "high"}, "confusion_matrix" (K rows of truth, K columns of prediction), with more
        than two classes "per_class" (each against the rest), and "per_label": for each folder the
        images came from its "n" and its "recall", the share of its images that were given the right
        class.
    """
    binary = len(predictions.classes) == BINARY
    metrics, per_class = _metrics(predictions)
    return {
        "n": len(predictions.targets),
        "patients": len(set(predictions.patients)),
        "verdict": predictions.verdict,
        "classes": list(predictions.classes),
        "threshold": plain(predictions.threshold) if binary else None,
        **metrics,
        "confusion_matrix": _confusion_matrix(predictions).tolist(),
        **({} if binary else {"per_class": per_class}),
        "per_label": _per_label(predictions),
    }


def scores_of(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    """Score reweighted images: those of `all_scores`, NaN where a probability is no number.

    Args:
        predictions: Of N images.
        weights: (B, N).
    """
    sound = bool(np.isfinite(predictions.probabilities).all())
    probabilities = np.nan_to_num(predictions.probabilities).clip(0.0, 1.0)
    found = all_scores(predictions.targets, probabilities, predictions.predicted, weights)
    return found if sound else {name: np.full_like(value, np.nan) for name, value in found.items()}


def _metrics(predictions: Predictions) -> tuple[dict[str, Entry], dict[str, dict[str, Entry]]]:
    several = range(len(predictions.classes)) if len(predictions.classes) > BINARY else range(0)
    targets, predicted = predictions.targets, predictions.predicted

    def score(weights: Floats) -> dict[str, Floats]:
        found = scores_of(predictions, weights)
        probabilities = np.nan_to_num(predictions.probabilities)
        for k in several:
            own = class_scores(targets, probabilities, predicted, k, weights)
            found |= {f"{k}/{name}": value for name, value in own.items()}
        return found

    resampled = resample(score, predictions.patients)
    shares = _shares(predictions)
    entries = {name: _entry(name, r, shares) for name, r in resampled.items()}
    return (
        {name: value for name, value in entries.items() if "/" not in name},
        {
            predictions.classes[k]: {
                name.partition("/")[2]: value
                for name, value in entries.items()
                if name.startswith(f"{k}/")
            }
            for k in several
        },
    )


def _entry(name: str, resampled: Resampled, shares: dict[str, int]) -> Entry:
    without = name == WITHOUT_INTERVAL
    interval = None if without else resampled.interval(share_of=shares.get(name, 0))
    return entry(resampled.value, interval)


def _shares(predictions: Predictions) -> dict[str, int]:
    """Count the patients whose images each share is of."""
    k = len(predictions.classes)
    prefixes = {1: ""} if k == BINARY else {i: f"{i}/" for i in range(k)}
    found = {"accuracy": len(set(predictions.patients))}
    for i, prefix in prefixes.items():
        truth, called = predictions.targets == i, predictions.predicted == i
        for name, of in (("recall", truth), ("specificity", ~truth), ("precision", called)):
            found[prefix + name] = _patients(predictions.patients, of)
    return found


def _patients(patients: Sequence[str], of: Bools) -> int:
    return len({patient for patient, counts in zip(patients, of, strict=True) if counts})


def _confusion_matrix(predictions: Predictions) -> npt.NDArray[np.int64]:
    k = len(predictions.classes)
    cells = predictions.targets * k + predictions.predicted
    return np.bincount(cells, minlength=k * k).reshape(k, k)


def _per_label(predictions: Predictions) -> dict[str, dict[str, float]]:
    right = predictions.targets == predictions.predicted
    labels = np.array(predictions.labels, dtype=object)
    return {
        label: {"n": int((labels == label).sum()), "recall": float(right[labels == label].mean())}
        for label in sorted(set(predictions.labels))
    }
