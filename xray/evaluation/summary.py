"""The figures that a split is summed up in: metrics.json's entry for it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from xray.evaluation.by_source import per_source
from xray.evaluation.estimates import Entry, entry
from xray.evaluation.scored import scores_of, shares_of
from xray.runs.predictions import Predictions
from xray.stats.bootstrap import resample
from xray.stats.gap_interval import gap_interval
from xray.stats.scores import (
    BINARY,
    Floats,
    calibration_gaps,
    class_scores,
    ratio,
)

_GAP = "gap/"
"""Begins the names of the bins' gaps, which the interval of the calibration error is made of."""


def summarise(predictions: Predictions) -> dict[str, Any]:
    """Sum up a split's predictions in plain values, ready for JSON.

    A metric that the images leave undefined (0/0: AUROC where a class is absent, precision where no
    image is called positive) has the value None. Intervals are of 95 %, by a bootstrap over
    patients, and None where there can be none.

    Args:
        predictions: Of N images and K classes.

    Returns:
        "n", "patients", "verdict" (what the split is worth), "classes", "absent" (those without
        an image, which leave metrics undefined; where there are any), "threshold" (of the second
        class's probability; None with more than two), each metric of `all_scores` as {"value",
        "low", "high"}, "confusion_matrix" (K rows of truth, K columns of prediction), with more
        than two classes "per_class" (each against the rest), and "per_label": for each folder the
        images came from its "n" and its "recall", the share of its images that were given the right
        class, with an interval, too. Where the images are of several datasets, "per_source" (see
        `per_source`).
    """
    binary = len(predictions.classes) == BINARY
    metrics, per_class = _metrics(predictions)
    return {
        "n": len(predictions.targets),
        "patients": len(set(predictions.patients)),
        "verdict": predictions.verdict,
        "classes": list(predictions.classes),
        **({"absent": absent} if (absent := _absent(predictions)) else {}),
        "threshold": float(predictions.threshold) if binary else None,
        **metrics,
        "confusion_matrix": _confusion_matrix(predictions).tolist(),
        **({} if binary else {"per_class": per_class}),
        "per_label": _per_label(predictions),
        **({"per_source": sources} if (sources := per_source(predictions)) else {}),
    }


def _metrics(predictions: Predictions) -> tuple[dict[str, Entry], dict[str, dict[str, Entry]]]:
    several = range(len(predictions.classes)) if len(predictions.classes) > BINARY else range(0)
    targets, predicted = predictions.targets, predictions.predicted

    def score(weights: Floats) -> dict[str, Floats]:
        found = scores_of(predictions, weights)
        probabilities = np.nan_to_num(predictions.probabilities).clip(0.0, 1.0)
        for k in several:
            own = class_scores(targets, probabilities, predicted, k, weights)
            found |= {f"{k}/{name}": value for name, value in own.items()}
        gaps = calibration_gaps(targets, probabilities, weights)
        return found | {f"{_GAP}{i}": column for i, column in enumerate(gaps.T)}

    resampled = resample(score, predictions.patients)
    shares = shares_of(predictions)
    entries = {
        name: entry(r.value, r.interval(share_of=shares.get(name, 0)))
        for name, r in resampled.items()
        if name != "ece" and not name.startswith(_GAP)
    }
    error = resampled["ece"].value
    gaps = [r for name, r in resampled.items() if name.startswith(_GAP)]
    entries["ece"] = entry(error, gap_interval(gaps) if np.isfinite(error) else None)
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


def _absent(predictions: Predictions) -> list[str]:
    counts = np.bincount(predictions.targets, minlength=len(predictions.classes))
    return [name for name, n in zip(predictions.classes, counts, strict=True) if not n]


def _confusion_matrix(predictions: Predictions) -> npt.NDArray[np.int64]:
    k = len(predictions.classes)
    cells = predictions.targets * k + predictions.predicted
    return np.bincount(cells, minlength=k * k).reshape(k, k)


def _per_label(predictions: Predictions) -> dict[str, dict[str, Any]]:
    right = predictions.targets == predictions.predicted
    labels, patients = np.array(predictions.labels, dtype=object), np.array(predictions.patients)
    within = {label: labels == label for label in sorted(set(predictions.labels))}

    def score(weights: Floats) -> dict[str, Floats]:
        return {
            label: ratio(weights[:, mine & right].sum(axis=1), weights[:, mine].sum(axis=1))
            for label, mine in within.items()
        }

    found = resample(score, predictions.patients) if within else {}
    return {
        label: {
            "n": int(mine.sum()),
            "recall": entry(
                found[label].value, found[label].interval(len(set(patients[mine].tolist())))
            ),
        }
        for label, mine in within.items()
    }
