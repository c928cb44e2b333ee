"""Scores of a set of predictions, for many reweightings of its images at once.

Everywhere `weights` is (B, N) float64, at least 0: how often each of N images counts in each of B
resamples. A row of ones is the set itself. Where a score is undefined (0/0) it is NaN.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BINARY = 2
BINS = 10
"""Of equal width in [0, 1]; a probability on an edge falls into the upper bin."""

_SMALLEST = 1e-15
"""A probability of 0 that comes true costs as much as this one."""


def ratio(above: Floats, below: Floats) -> Floats:
    """Divide, elementwise and without a warning; NaN where the divisor is 0."""
    out: Floats = np.full(np.shape(above), np.nan)
    return np.divide(above, below, out=out, where=below != 0)


def all_scores(
    targets: Ints, probabilities: Floats, predicted: Ints, weights: Floats
) -> dict[str, Floats]:
    """Compute every score of a set.

    With two classes the second is the positive one. With more, accuracy, MCC, Brier score, log loss
    and calibration error are of all classes together; the others are the unweighted mean over the
    classes, each against the rest (macro).

    Args:
        targets: (N,) in [0, K).
        probabilities: (N, K) in [0, 1], rows summing to 1.
        predicted: (N,) in [0, K).
        weights: (B, N).

    Returns:
        Name -> (B,): "accuracy", "precision", "recall", "f1", "specificity", "auroc", "auprc",
        "balanced_accuracy", "mcc", "brier", "log_loss", "ece".
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
    """Score one class against the rest: precision, recall, F1, specificity, AUROC, AUPRC.

    Args:
        targets: (N,).
        probabilities: (N, K).
        predicted: (N,).
        positive: Index of the class.
        weights: (B, N).
    """
    truth, called = targets == positive, predicted == positive
    (tn, fp), (fn, tp) = confusion(truth, called, BINARY, weights).transpose(1, 2, 0)
    return {
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "specificity": ratio(tn, tn + fp),
        "auroc": auroc(truth, probabilities[:, positive], weights),
        "auprc": auprc(truth, probabilities[:, positive], weights),
    }


def confusion(targets: Ints | Bools, predicted: Ints | Bools, k: int, weights: Floats) -> Floats:
    """Count (B, K, K): rows are the truth, columns what was predicted."""
    cells = np.asarray(targets, np.int64) * k + np.asarray(predicted, np.int64)
    counts: Floats = (weights @ np.eye(k * k)[cells]).reshape(-1, k, k)
    return counts


def balanced_accuracy(counts: Floats) -> Floats:
    """Average the recalls of all classes; NaN where a class has no image.

    Args:
        counts: (B, K, K), as `confusion` gives them.
    """
    recalls = ratio(np.diagonal(counts, axis1=1, axis2=2), counts.sum(axis=2))
    return np.asarray(recalls.mean(axis=1))


def matthews(counts: Floats) -> Floats:
    """Correlate truth and prediction (Gorodkin 2004; with two classes Matthews 1975).

    NaN where only one class occurs, or only one is predicted.

    Args:
        counts: (B, K, K), as `confusion` gives them.
    """
    true, called, n = counts.sum(axis=2), counts.sum(axis=1), counts.sum(axis=(1, 2))
    right = np.trace(counts, axis1=1, axis2=2)
    covariance = right * n - (true * called).sum(axis=1)
    spread = (n**2 - (true**2).sum(axis=1)) * (n**2 - (called**2).sum(axis=1))
    return ratio(covariance, np.sqrt(spread))


def auroc(truth: Bools, score: Floats, weights: Floats) -> Floats:
    """Share of the pairs of a positive and a negative that are ranked rightly; a tie counts half.

    Args:
        truth: (N,).
        score: (N,), higher for the positives.
        weights: (B, N).
    """
    positive, negative = _by_score(truth, score, weights)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return ratio((positive * below).sum(axis=1), pairs)


def auprc(truth: Bools, score: Floats, weights: Floats) -> Floats:
    """Average precision: precision at each recall gained, from the highest score down.

    Args:
        truth: (N,).
        score: (N,), higher for the positives.
        weights: (B, N).
    """
    positive, negative = _by_score(truth, -score, weights)
    tp, fp = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
    # Where nothing is called yet, no recall is gained either.
    precision = tp / np.where(tp + fp > 0, tp + fp, 1.0)
    return ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def brier(targets: Ints, probabilities: Floats, weights: Floats) -> Floats:
    """Mean squared error of the probabilities.

    With two classes of the second one's, in [0, 1]; with more, summed over the classes, in [0, 2].
    """
    k = probabilities.shape[1]
    squares = (probabilities - np.eye(k)[targets]) ** 2
    return _mean(squares[:, 1] if k == BINARY else squares.sum(axis=1), weights)


def log_loss(targets: Ints, probabilities: Floats, weights: Floats) -> Floats:
    """Mean of -ln(probability of the truth), in nats."""
    given = probabilities[np.arange(len(targets)), targets]
    return _mean(-np.log(given.clip(_SMALLEST, 1.0)), weights)


def calibration_error(targets: Ints, probabilities: Floats, weights: Floats) -> Floats:
    """Expected calibration error: |observed - predicted| averaged over the images' bins.

    Ten bins of equal width (Guo et al. 2017). With two classes the probability is the second
    one's; with more, it is the most probable class's, and observed is how often that is right.
    """
    return np.asarray(np.abs(calibration_gaps(targets, probabilities, weights)).sum(axis=1))


def calibration_gaps(targets: Ints, probabilities: Floats, weights: Floats) -> Floats:
    """Give of each bin its share of the images times predicted - observed: (B, BINS)."""
    score, truth = confidence(targets, probabilities)
    gaps = (score - truth)[:, None] * np.eye(BINS)[bin_of(score)]
    total = weights.sum(axis=1, keepdims=True)
    return ratio(weights @ gaps, np.broadcast_to(total, (len(weights), BINS)))


def confidence(targets: Ints, probabilities: Floats) -> tuple[Floats, Bools]:
    """Give the probabilities whose calibration is looked at, and whether each came true.

    Returns:
        (N,) float64 in [0, 1], and (N,) bool.
    """
    if probabilities.shape[1] == BINARY:
        return probabilities[:, 1], targets == 1
    return probabilities.max(axis=1), targets == probabilities.argmax(axis=1)


def bin_of(score: Floats) -> Ints:
    """Find the bin in [0, BINS) of each probability."""
    return np.clip((score * BINS).astype(np.int64), 0, BINS - 1)


def _mean(values: Floats, weights: Floats) -> Floats:
    return ratio(weights @ values, weights.sum(axis=1))


def _by_score(truth: Bools, score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Sum the weights of positives and of negatives at each distinct score, ascending: (B, G)."""
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
