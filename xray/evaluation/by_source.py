"""The same network on the images of each dataset that a split was merged from."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xray.evaluation.estimates import Entry, entry
from xray.evaluation.scored import scores_of, shares_of
from xray.runs.predictions import Predictions
from xray.stats.bootstrap import resample
from xray.stats.scores import Floats

SCORES = ("accuracy", "recall", "specificity", "auroc")
UNKNOWN = "unknown"
"""Stands for images whose source nothing tells."""


def per_source(predictions: Predictions) -> dict[str, Any]:
    """Sum up the images of each source.

    Args:
        predictions: Of N images and K classes.

    Returns:
        Source -> "n", "patients", "classes" (images of each), and of `SCORES` {"value", "low",
        "high"}: None where the source leaves one undefined, as the AUROC where it has one class.
        Empty where there are fewer than two sources.
    """
    names = np.array([name or UNKNOWN for name in predictions.sources], dtype=object)
    found = sorted(set(names))
    if len(found) < 2:  # noqa: PLR2004
        return {}
    return {name: _summed(_part(predictions, np.flatnonzero(names == name))) for name in found}


def _summed(part: Predictions) -> dict[str, Any]:
    counts = np.bincount(part.targets, minlength=len(part.classes)).tolist()
    return {
        "n": len(part.paths),
        "patients": len(set(part.patients)),
        "classes": dict(zip(part.classes, counts, strict=True)),
        **_scores(part),
    }


def _scores(part: Predictions) -> dict[str, Entry]:
    def score(weights: Floats) -> dict[str, Floats]:
        found = scores_of(part, weights)
        return {name: found[name] for name in SCORES}

    shares = shares_of(part)
    resampled = resample(score, part.patients)
    return {name: entry(r.value, r.interval(shares.get(name, 0))) for name, r in resampled.items()}


def _part(predictions: Predictions, places: npt.NDArray[np.int64]) -> Predictions:
    return replace(
        predictions,
        paths=[predictions.paths[k] for k in places],
        patients=[predictions.patients[k] for k in places],
        labels=[predictions.labels[k] for k in places],
        sources=[predictions.sources[k] for k in places],
        targets=predictions.targets[places],
        probabilities=predictions.probabilities[places],
    )
