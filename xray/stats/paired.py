"""Tests between two networks on the same images, and their correction for being many."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from xray.stats.scores import Bools


def mcnemar(one: Bools, other: Bools) -> float:
    """Test whether two networks are right equally often (McNemar 1947), by the exact binomial.

    Args:
        one: (N,) whether a network is right.
        other: (N,) whether the other is, on the same images.

    Returns:
        The two-sided p-value; 1.0 where they are right on the same images.
    """
    only_one = int(np.sum(one & ~other))
    apart = int(np.sum(one != other))
    return float(binomtest(only_one, apart, 0.5).pvalue) if apart else 1.0


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for their number (Holm 1979): the family keeps its error rate.

    Args:
        p_values: Of a family of tests; None for one that could not be made and is not counted.

    Returns:
        In the same order, at most 1.0.
    """
    made = [(p, i) for i, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(sorted(made)):
        largest = max(largest, min(1.0, p * (len(made) - rank)))
        adjusted[i] = largest
    return adjusted
