"""Scores of a split's predictions, ready for the bootstrap."""

from collections.abc import Sequence

import numpy as np

from xray.runs.predictions import Predictions
from xray.stats.bootstrap import Resampled, resample
from xray.stats.scores import BINARY, Bools, Floats, all_scores


def score_predictions(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    """Compute the scores of `all_scores`; they are NaN if a probability is not finite.

    Args:
        predictions: Predictions of N images.
        weights: Weights of the images, shape (B, N).

    Returns:
        Scores by name, each with shape (B,).
    """
    finite = bool(np.isfinite(predictions.probabilities).all())
    probabilities = np.nan_to_num(predictions.probabilities).clip(0.0, 1.0)
    found = all_scores(predictions.targets, probabilities, predictions.predicted, weights)
    return found if finite else {name: np.full_like(value, np.nan) for name, value in found.items()}


def count_patients(predictions: Predictions) -> dict[str, int]:
    """Count the patients behind each score that is a proportion of images.

    An AUROC is the mean proportion of images of one class that are ranked below an image of the
    other class. The class with fewer patients counts, which makes its interval conservative.

    Returns:
        Number of patients by score; see `share_of` of `xray.stats.bootstrap.Resampled.interval`.
    """
    k = len(predictions.classes)
    prefixes = {1: ""} if k == BINARY else {i: f"{i}/" for i in range(k)}
    found = {"accuracy": len(set(predictions.patients))}
    for i, prefix in prefixes.items():
        truth, predicted = predictions.targets == i, predictions.predicted == i
        for name, of in (("recall", truth), ("specificity", ~truth), ("precision", predicted)):
            found[prefix + name] = _patients(predictions.patients, of)
        found[f"{prefix}auroc"] = min(found[f"{prefix}recall"], found[f"{prefix}specificity"])
    found.setdefault("auroc", min(found[f"{i}/auroc"] for i in prefixes) if k > BINARY else 0)
    return found


def resample_scores(predictions: Predictions, names: Sequence[str]) -> dict[str, Resampled]:
    """Resample scores over patients.

    The seed is fixed, so scores of several models on the same images can be paired.

    Args:
        predictions: Predictions of N images.
        names: Names of scores of `all_scores`.
    """

    def score(weights: Floats) -> dict[str, Floats]:
        found = score_predictions(predictions, weights)
        return {name: found[name] for name in names}

    return resample(score, predictions.patients)


def _patients(patients: Sequence[str], of: Bools) -> int:
    return len({patient for patient, counts in zip(patients, of, strict=True) if counts})
