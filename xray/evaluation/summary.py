"""Metrics of a split with confidence intervals: its entry in metrics.json."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xray.evaluation.estimates import count_patients, score_predictions
from xray.runs.predictions import Predictions
from xray.stats.bootstrap import estimate, resample
from xray.stats.calibration import calibration_error_interval
from xray.stats.intervals import Estimate
from xray.stats.scores import BINARY, Floats, calibration_gaps, class_scores, ratio

SOURCE_SCORES = ("accuracy", "recall", "specificity", "auroc")
"""Scores that are reported for each source dataset."""
UNKNOWN_SOURCE = "unknown"
"""Name for images without a source."""

_GAP = "gap/"
"""Prefix of the calibration gaps of the bins, from which the interval of the ECE is computed."""

Entry = dict[str, float | None]


def summarize(predictions: Predictions) -> dict[str, Any]:
    """Compute all metrics of a split's predictions.

    A metric that is undefined (0/0: the AUROC if a class is absent, the precision without positive
    predictions) has the value None. Intervals are 95 % confidence intervals by a bootstrap over
    patients, and None if none can be computed.

    Args:
        predictions: Predictions of N images and K classes.

    Returns:
        Plain values for JSON: "n", "patients", "verdict" of the split, "classes", "absent" (classes
        without images, if any), "threshold" (of the second class's probability; None with more than
        two classes), each metric of `xray.stats.scores.all_scores` as {"value", "low", "high"},
        "confusion_matrix" (K rows of true classes, K columns of predicted classes), "per_class"
        (each class against the rest; with more than two classes), "per_label" (for each folder its
        "n" and "recall") and "per_source" (see `summarize_sources`; with several sources).
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
        **({"per_source": sources} if (sources := summarize_sources(predictions)) else {}),
    }


def summarize_sources(predictions: Predictions) -> dict[str, Any]:
    """Compute metrics for each dataset that the images were taken from.

    Args:
        predictions: Predictions of N images and K classes.

    Returns:
        For each source "n", "patients", "classes" (number of images by class) and `SOURCE_SCORES`
        as {"value", "low", "high"}. Empty if there are fewer than two sources.
    """
    names = np.array([name or UNKNOWN_SOURCE for name in predictions.sources], dtype=object)
    found = sorted(set(names))
    if len(found) < 2:  # noqa: PLR2004
        return {}
    parts = {name: _select(predictions, np.flatnonzero(names == name)) for name in found}
    return {name: _source_entry(part) for name, part in parts.items()}


def _source_entry(part: Predictions) -> dict[str, Any]:
    def score(weights: Floats) -> dict[str, Floats]:
        found = score_predictions(part, weights)
        return {name: found[name] for name in SOURCE_SCORES}

    estimates = estimate(score, part.patients, count_patients(part))
    counts = np.bincount(part.targets, minlength=len(part.classes)).tolist()
    return {
        "n": len(part.paths),
        "patients": len(set(part.patients)),
        "classes": dict(zip(part.classes, counts, strict=True)),
        **{name: found.as_dict() for name, found in estimates.items()},
    }


def _select(predictions: Predictions, places: npt.NDArray[np.int64]) -> Predictions:
    return replace(
        predictions,
        paths=[predictions.paths[k] for k in places],
        patients=[predictions.patients[k] for k in places],
        labels=[predictions.labels[k] for k in places],
        sources=[predictions.sources[k] for k in places],
        targets=predictions.targets[places],
        probabilities=predictions.probabilities[places],
    )


def _metrics(predictions: Predictions) -> tuple[dict[str, Entry], dict[str, dict[str, Entry]]]:
    """Compute the metrics of all classes together, and with more than two of each class."""
    several = range(len(predictions.classes)) if len(predictions.classes) > BINARY else range(0)
    targets, predicted = predictions.targets, predictions.predicted

    def score(weights: Floats) -> dict[str, Floats]:
        found = score_predictions(predictions, weights)
        probabilities = np.nan_to_num(predictions.probabilities).clip(0.0, 1.0)
        for k in several:
            own = class_scores(targets, probabilities, predicted, k, weights)
            found |= {f"{k}/{name}": value for name, value in own.items()}
        gaps = calibration_gaps(targets, probabilities, weights)
        return found | {f"{_GAP}{i}": column for i, column in enumerate(gaps.T)}

    resampled = resample(score, predictions.patients)
    shares = count_patients(predictions)
    gaps = [resampled.pop(name) for name in list(resampled) if name.startswith(_GAP)]
    error = resampled.pop("ece").value
    entries = {name: r.estimate(shares.get(name, 0)).as_dict() for name, r in resampled.items()}
    interval = calibration_error_interval(gaps) if np.isfinite(error) else None
    entries["ece"] = Estimate.of(error, interval).as_dict()
    together = {name: entry for name, entry in entries.items() if "/" not in name}
    return together, {predictions.classes[k]: _of_class(entries, k) for k in several}


def _of_class(entries: dict[str, Entry], k: int) -> dict[str, Entry]:
    prefix = f"{k}/"
    return {n.removeprefix(prefix): entry for n, entry in entries.items() if n.startswith(prefix)}


def _absent(predictions: Predictions) -> list[str]:
    counts = np.bincount(predictions.targets, minlength=len(predictions.classes))
    return [name for name, n in zip(predictions.classes, counts, strict=True) if not n]


def _confusion_matrix(predictions: Predictions) -> npt.NDArray[np.int64]:
    k = len(predictions.classes)
    cells = predictions.targets * k + predictions.predicted
    return np.bincount(cells, minlength=k * k).reshape(k, k)


def _per_label(predictions: Predictions) -> dict[str, dict[str, Any]]:
    """Compute the share of correctly classified images of each folder."""
    correct = predictions.targets == predictions.predicted
    labels, patients = np.array(predictions.labels, dtype=object), np.array(predictions.patients)
    members = {label: labels == label for label in sorted(set(predictions.labels))}
    if not members:
        return {}

    def score(weights: Floats) -> dict[str, Floats]:
        return {
            label: ratio(weights[:, mine & correct].sum(axis=1), weights[:, mine].sum(axis=1))
            for label, mine in members.items()
        }

    shares = {label: len(set(patients[mine].tolist())) for label, mine in members.items()}
    found = estimate(score, predictions.patients, shares)
    return {
        label: {"n": int(mine.sum()), "recall": found[label].as_dict()}
        for label, mine in members.items()
    }
