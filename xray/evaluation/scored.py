"""What a split's predictions score, for the bootstrap."""

from collections.abc import Sequence

import numpy as np

from xray.runs.predictions import Predictions
from xray.stats.bootstrap import Resampled, resample
from xray.stats.scores import BINARY, Bools, Floats, all_scores


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


def shares_of(predictions: Predictions) -> dict[str, int]:
    """Count the patients whose images each share is of.

    An AUROC is the mean share of one class's images that an image of the other outranks: it goes by
    the class with fewer patients, which makes its interval too wide rather than too narrow.
    """
    k = len(predictions.classes)
    prefixes = {1: ""} if k == BINARY else {i: f"{i}/" for i in range(k)}
    found = {"accuracy": len(set(predictions.patients))}
    for i, prefix in prefixes.items():
        truth, called = predictions.targets == i, predictions.predicted == i
        for name, of in (("recall", truth), ("specificity", ~truth), ("precision", called)):
            found[prefix + name] = _patients(predictions.patients, of)
        found[f"{prefix}auroc"] = min(found[f"{prefix}recall"], found[f"{prefix}specificity"])
    found.setdefault("auroc", min(found[f"{i}/auroc"] for i in prefixes) if k > BINARY else 0)
    return found


def resampled(predictions: Predictions, names: Sequence[str]) -> dict[str, Resampled]:
    """Resample scores over patients.

    One seed: predictions of the same images are resampled alike, and their draws are pairs.

    Args:
        predictions: Of any images.
        names: Of the scores.
    """

    def score(weights: Floats) -> dict[str, Floats]:
        found = scores_of(predictions, weights)
        return {name: found[name] for name in names}

    return resample(score, predictions.patients)


def _patients(patients: Sequence[str], of: Bools) -> int:
    return len({patient for patient, counts in zip(patients, of, strict=True) if counts})
