"""Variance of the AUROC, and the test between two networks on the same images (DeLong et al. 1988).

Images count as independent: where patients have several, rely on the bootstrap over patients.
"""

import numpy as np
from scipy.stats import norm, rankdata

from xray.stats.scores import Bools, Floats

_FEWEST = 2


def delong(truth: Bools, scores: Floats) -> tuple[Floats, Floats] | None:
    """Compute AUROCs and their covariance by midranks (Sun & Xu 2014), in O(M N log N).

    Args:
        truth: (N,).
        scores: (M, N) of M networks, higher for the positives.

    Returns:
        (M,) AUROCs and (M, M) covariances; None with fewer than two positives or negatives.
    """
    positive, negative = scores[:, truth], scores[:, ~truth]
    m, n = positive.shape[1], negative.shape[1]
    if min(m, n) < _FEWEST:
        return None
    ranks = rankdata(np.concatenate([positive, negative], axis=1), axis=1)
    # Of each positive the share of negatives below it; of each negative that of positives above.
    above = (ranks[:, :m] - rankdata(positive, axis=1)) / n
    below = 1 - (ranks[:, m:] - rankdata(negative, axis=1)) / m
    covariance = np.atleast_2d(np.cov(above)) / m + np.atleast_2d(np.cov(below)) / n
    return above.mean(axis=1), covariance


def delong_test(truth: Bools, one: Floats, other: Floats) -> float | None:
    """Test whether two networks have the same AUROC, on the same images.

    Args:
        truth: (N,).
        one: (N,) scores of a network.
        other: (N,) scores of the other.

    Returns:
        The two-sided p-value; None where the difference has no variance, or `delong` says nothing.
    """
    found = delong(truth, np.stack([one, other]))
    if found is None:
        return None
    (first, second), covariance = found
    difference = float(first - second)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance <= np.finfo(np.float64).eps:
        return 1.0 if abs(difference) <= np.finfo(np.float64).eps else None
    return float(2 * norm.sf(abs(difference) / variance**0.5))
