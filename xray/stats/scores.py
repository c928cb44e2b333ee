"""Scores of a set of predictions, computed for many resamples at once.

`weights` has shape (B, N) and dtype float64: the number of times that each of N images occurs in
each of B resamples. A row of ones is the original set. A score of 0/0 is undefined and is NaN.
"""

import numpy as np
import numpy.typing as npt

from xray.stats.rule import EVEN

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BINARY = 2
"""Number of classes for which there is a threshold and one positive class."""
BINS = 10
"""Number of bins of equal width in [0, 1]; a probability on an edge belongs to the upper bin."""

_MIN_PROBABILITY = 1e-15
"""Lower limit of the probability in the log loss, which would be infinite at 0."""


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide elementwise without warnings; the result is NaN where the denominator is 0."""
    out: Floats = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=out, where=denominator != 0)


def predict_classes(
    probabilities: npt.NDArray[np.floating], threshold: float | None = None
) -> Ints:
    """Return the predicted class of each image.

    Args:
        probabilities: (N, K) in [0, 1], rows summing to 1.
        threshold: With two classes, the probability above which the second class is predicted. None
            and 0.5 mean the most probable class; of equally probable classes, the first.

    Returns:
        (N,) int64 in [0, K).
    """
    if threshold is None or threshold == EVEN or probabilities.shape[1] != BINARY:
        return np.asarray(probabilities.argmax(axis=1), np.int64)
    return np.asarray(probabilities[:, 1] > threshold, np.int64)


def all_scores(
    targets: Ints, probabilities: Floats, predicted: Ints, weights: Floats
) -> dict[str, Floats]:
    """Compute all scores of a set of predictions.

    With two classes, the second class is positive. With more classes, accuracy, MCC, Brier score,
    log loss and calibration error are computed for all classes together; the other scores are the
    unweighted mean over the classes, each against the rest (macro average).

    Args:
        targets: Class indices in [0, K), shape (N,).
        probabilities: Probabilities with rows that sum to 1, shape (N, K).
        predicted: Predicted class indices in [0, K), shape (N,).
        weights: Weights of the images, shape (B, N).

    Returns:
        Scores by name, each with shape (B,): "accuracy", "precision", "recall", "f1",
        "specificity", "auroc", "auprc", "balanced_accuracy", "mcc", "brier", "log_loss", "ece".
    """
    k = probabilities.shape[1]
    counts = confusion(targets, predicted, k, weights)
    scored = range(1, k) if k == BINARY else range(k)
    each = [class_scores(targets, probabilities, predicted, i, weights) for i in scored]
    means = {name: np.mean([scores[name] for scores in each], axis=0) for name in each[0]}
    return {
        "accuracy": ratio(np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2))),
        **means,
        "balanced_accuracy": balanced_accuracy(counts),
        "mcc": matthews(counts),
        "brier": brier(targets, probabilities, weights),
        "log_loss": log_loss(targets, probabilities, weights),
        "ece": calibration_error(targets, probabilities, weights),
    }


def class_scores(
    targets: Ints, probabilities: Floats, predicted: Ints, positive: int, weights: Floats
) -> dict[str, Floats]:
    """Compute the scores of one class against the rest.

    Args:
        targets: Class indices, shape (N,).
        probabilities: Probabilities, shape (N, K).
        predicted: Predicted class indices, shape (N,).
        positive: Index of the class that counts as positive.
        weights: Weights of the images, shape (B, N).

    Returns:
        "precision", "recall", "f1", "specificity", "auroc" and "auprc", each with shape (B,).
    """
    truth, positives = targets == positive, predicted == positive
    (tn, fp), (fn, tp) = confusion(truth, positives, BINARY, weights).transpose(1, 2, 0)
    return {
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "specificity": ratio(tn, tn + fp),
        "auroc": auroc(truth, probabilities[:, positive], weights),
        "auprc": auprc(truth, probabilities[:, positive], weights),
    }


def confusion(targets: Ints | Bools, predicted: Ints | Bools, k: int, weights: Floats) -> Floats:
    """Compute confusion matrices, shape (B, K, K): rows are true, columns predicted classes."""
    cells = np.asarray(targets, np.int64) * k + np.asarray(predicted, np.int64)
    counts: Floats = (weights @ np.eye(k * k)[cells]).reshape(-1, k, k)
    return counts


def balanced_accuracy(counts: Floats) -> Floats:
    """Compute the mean recall over the classes; NaN if a class has no images.

    Args:
        counts: Confusion matrices, shape (B, K, K).
    """
    recalls = ratio(np.diagonal(counts, axis1=1, axis2=2), counts.sum(axis=2))
    return np.asarray(recalls.mean(axis=1))


def matthews(counts: Floats) -> Floats:
    """Compute the Matthews correlation coefficient (Matthews 1975; K classes: Gorodkin 2004).

    It is NaN if only one class occurs or only one class is predicted.

    Args:
        counts: Confusion matrices, shape (B, K, K).
    """
    true, predicted, n = counts.sum(axis=2), counts.sum(axis=1), counts.sum(axis=(1, 2))
    correct = np.trace(counts, axis1=1, axis2=2)
    covariance = correct * n - (true * predicted).sum(axis=1)
    spread = (n**2 - (true**2).sum(axis=1)) * (n**2 - (predicted**2).sum(axis=1))
    return ratio(covariance, np.sqrt(spread))


def auroc(truth: Bools, score: Floats, weights: Floats) -> Floats:
    """Compute the area under the ROC curve.

    It is the share of pairs of a positive and a negative image in which the positive image has the
    higher score (Hanley and McNeil 1982). Ties count one half.

    Args:
        truth: Whether each image is positive, shape (N,).
        score: Score of each image, higher for positive images, shape (N,).
        weights: Weights of the images, shape (B, N).
    """
    positive, negative = _by_score(truth, score, weights)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return ratio((positive * below).sum(axis=1), pairs)


def auprc(truth: Bools, score: Floats, weights: Floats) -> Floats:
    """Compute the average precision: the sum of precision times the increase in recall.

    Args:
        truth: Whether each image is positive, shape (N,).
        score: Score of each image, higher for positive images, shape (N,).
        weights: Weights of the images, shape (B, N).
    """
    positive, negative = _by_score(truth, -score, weights)
    tp, fp = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
    # Without positive predictions, recall does not increase, so this precision has no effect.
    precision = tp / np.where(tp + fp > 0, tp + fp, 1.0)
    return ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def brier(targets: Ints, probabilities: Floats, weights: Floats) -> Floats:
    """Compute the Brier score, the mean squared error of the probabilities (Brier 1950).

    With two classes, it uses the probability of the second class and lies in [0, 1]. With more, the
    squared errors are summed over the classes, and it lies in [0, 2].
    """
    k = probabilities.shape[1]
    squares = (probabilities - np.eye(k)[targets]) ** 2
    return _mean(squares[:, 1] if k == BINARY else squares.sum(axis=1), weights)


def log_loss(targets: Ints, probabilities: Floats, weights: Floats) -> Floats:
    """Compute the mean negative log-likelihood of the true class, in nats."""
    given = probabilities[np.arange(len(targets)), targets]
    return _mean(-np.log(given.clip(_MIN_PROBABILITY, 1.0)), weights)


def calibration_error(targets: Ints, probabilities: Floats, weights: Floats) -> Floats:
    """Compute the expected calibration error with ten bins of equal width (Guo et al. 2017).

    It is the mean absolute difference between predicted probability and observed frequency,
    weighted by the number of images per bin; see `confidence` for the probability that is used.
    """
    return np.asarray(np.abs(calibration_gaps(targets, probabilities, weights)).sum(axis=1))


def calibration_gaps(targets: Ints, probabilities: Floats, weights: Floats) -> Floats:
    """Compute (share of images) x (mean probability - observed frequency), shape (B, BINS)."""
    score, truth = confidence(targets, probabilities)
    gaps = (score - truth)[:, None] * np.eye(BINS)[bin_of(score)]
    total = weights.sum(axis=1, keepdims=True)
    return ratio(weights @ gaps, np.broadcast_to(total, (len(weights), BINS)))


def confidence(targets: Ints, probabilities: Floats) -> tuple[Floats, Bools]:
    """Return the probabilities whose calibration is measured, and whether each event occurred.

    With two classes, the event is the second class. With more, the event is that the most probable
    class is the true one.

    Returns:
        Probabilities in [0, 1], shape (N,), and outcomes, boolean, shape (N,).
    """
    if probabilities.shape[1] == BINARY:
        return probabilities[:, 1], targets == 1
    return probabilities.max(axis=1), targets == probabilities.argmax(axis=1)


def bin_of(score: Floats) -> Ints:
    """Return the index in [0, BINS) of the bin of each probability."""
    return np.clip((score * BINS).astype(np.int64), 0, BINS - 1)


def _mean(values: Floats, weights: Floats) -> Floats:
    return ratio(weights @ values, weights.sum(axis=1))


def _by_score(truth: Bools, score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Sum the weights of positive and negative images at each of G ascending scores: (B, G)."""
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]][: len(ranked)])
    if not len(starts):
        return np.zeros((len(weights), 0)), np.zeros((len(weights), 0))
    positive = weights[:, order] * truth[order]
    negative = weights[:, order] - positive
    if len(starts) == len(ranked):
        return positive, negative
    add = np.add.reduceat
    return add(positive, starts, axis=1), add(negative, starts, axis=1)
