"""Statistical tests that compare two models on the same images.

The tests treat images as independent. If patients have several images, rely on the bootstrap over
patients instead.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, norm, rankdata

from xray.stats.scores import Bools, Floats

_MIN_IMAGES = 2
"""Number of positive, and of negative, images that a variance needs."""


def delong(truth: Bools, scores: Floats) -> tuple[Floats, Floats] | None:
    """Compute AUROCs and their covariance (DeLong et al. 1988).

    Midranks are used (Sun and Xu 2014), so the cost is O(M N log N).

    Args:
        truth: Whether each image is positive, shape (N,).
        scores: Scores of M models, higher for positive images, shape (M, N).

    Returns:
        AUROCs, shape (M,), and their covariance, shape (M, M); None with fewer than two positive or
        two negative images.
    """
    positive, negative = scores[:, truth], scores[:, ~truth]
    m, n = positive.shape[1], negative.shape[1]
    if min(m, n) < _MIN_IMAGES:
        return None
    ranks = rankdata(np.concatenate([positive, negative], axis=1), axis=1)
    # For each positive image, the share of negative images below it; for each negative image, the
    # share of positive images above it.
    above = (ranks[:, :m] - rankdata(positive, axis=1)) / n
    below = 1 - (ranks[:, m:] - rankdata(negative, axis=1)) / m
    covariance = np.atleast_2d(np.cov(above)) / m + np.atleast_2d(np.cov(below)) / n
    return above.mean(axis=1), covariance


def delong_test(truth: Bools, first: Floats, second: Floats) -> float | None:
    """Test whether two models have the same AUROC on the same images.

    Args:
        truth: Whether each image is positive, shape (N,).
        first: Scores of the first model, shape (N,).
        second: Scores of the second model, shape (N,).

    Returns:
        The two-sided p-value; None if `delong` returns None, or if the difference is not 0 but has
        no variance.
    """
    found = delong(truth, np.stack([first, second]))
    if found is None:
        return None
    (one, other), covariance = found
    difference = float(one - other)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance <= np.finfo(np.float64).eps:
        return 1.0 if abs(difference) <= np.finfo(np.float64).eps else None
    return float(2 * norm.sf(abs(difference) / variance**0.5))


def mcnemar(first: Bools, second: Bools) -> float:
    """Test whether two models are correct equally often (McNemar 1947), by the exact binomial test.

    Args:
        first: Whether the first model is correct, shape (N,).
        second: Whether the second model is correct, shape (N,).

    Returns:
        The two-sided p-value; 1.0 if both models are correct on the same images.
    """
    only_first = int(np.sum(first & ~second))
    discordant = int(np.sum(first != second))
    return float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p-values for multiple tests (Holm 1979), which controls the family-wise error rate.

    Args:
        p_values: P-values of a family of tests. None marks a test that could not be computed and is
            not counted.

    Returns:
        Corrected p-values in the same order, at most 1.0.
    """
    computed = [(p, i) for i, p in enumerate(p_values) if p is not None]
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(sorted(computed)):
        largest = max(largest, min(1.0, p * (len(computed) - rank)))
        corrected[i] = largest
    return corrected
