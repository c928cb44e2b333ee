"""Estimates with confidence intervals from a bootstrap over patients.

A resample draws patients with replacement and includes all images of each drawn patient. Patients
are drawn regardless of their class, because the number of patients per class is random, too, and a
patient may have images of both classes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from xray.stats.intervals import Estimate, Interval
from xray.stats.scores import Floats, Ints

DRAWS = 2000
"""Default number of resamples."""
LEVEL = 0.95
"""Confidence level of every interval."""
MIN_DEFINED = 0.9
"""Share of the resamples in which a score must be defined for an interval to be computed."""
MIN_PATIENTS = 2
"""Number of patients below which no interval is computed."""

_MAX_CELLS = 2_000_000
"""Number of weights held in memory at a time."""
_MAX_LEFT_OUT = 500
"""Patients are left out one by one up to this number; more are left out in this many groups."""

Score = Callable[[Floats], dict[str, Floats]]
"""Function of weights (B, N) that returns scores by name, each (B,); NaN means undefined."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """A score of a set of images and of its resamples.

    Attributes:
        value: Score of the original set; NaN if undefined.
        draws: Scores of B bootstrap resamples, shape (B,).
        left_out: Scores with one patient (or one of 500 groups of patients) left out, shape (J,).
    """

    value: float
    draws: Floats
    left_out: Floats

    def __sub__(self, other: "Resampled") -> "Resampled":
        """Return the paired difference of two scores with the same images, patients and seed."""
        return Resampled(
            self.value - other.value, self.draws - other.draws, self.left_out - other.left_out
        )

    def estimate(self, share_of: int = 0) -> Estimate:
        """Return the value with its interval.

        Args:
            share_of: See `interval`.
        """
        return Estimate.of(self.value, self.interval(share_of))

    def interval(self, share_of: int = 0) -> Interval | None:
        """Compute the bias-corrected and accelerated interval (BCa; Efron 1987).

        Args:
            share_of: If the score is a proportion of images, or a mean of such proportions, the
                number of patients with these images. A proportion of exactly 0 or 1, which no
                resample can leave, then gets Wilson's interval for that number of trials. This is
                conservative: no score in [0, 1] has a larger variance than a proportion.

        Returns:
            None if no interval can be computed: there is only one patient, the score is undefined
            for the set or for more than a tenth of the resamples, or all resamples agree.
        """
        draws = self.draws[np.isfinite(self.draws)]
        enough = len(draws) >= MIN_DEFINED * len(self.draws) and len(draws) > 1
        if not np.isfinite(self.value) or not enough or len(self.left_out) < MIN_PATIENTS:
            return None
        if np.ptp(draws) <= _tolerance(draws):
            return wilson(self.value, share_of) if share_of >= MIN_PATIENTS else None
        tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        low, high = np.quantile(draws, self._levels(draws, tails))
        return Interval(float(low), float(high))

    def _levels(self, draws: Floats, tails: Floats) -> Floats:
        """Correct quantile levels for the bias of the resamples and for skewness."""
        slack = _tolerance(draws)
        below = np.mean(draws < self.value - slack) / 2 + np.mean(draws <= self.value + slack) / 2
        # A larger correction would consist of noise.
        bias = ndtri(np.clip(below, 0.05, 0.95))
        influence = self.left_out[np.isfinite(self.left_out)]
        influence = influence.mean() - influence if len(influence) else influence
        spread = np.sum(influence**2) ** 1.5
        skew = np.sum(influence**3) / (6 * spread) if spread > 0 else 0.0
        shifted = bias + ndtri(tails)
        levels: Floats = ndtr(bias + shifted / (1 - skew * shifted))
        return levels


def wilson(share: float, n: int) -> Interval:
    """Compute the score interval of a proportion (Wilson 1927).

    Args:
        share: Proportion in [0, 1].
        n: Number of independent trials, at least 1.
    """
    z = float(ndtri((1 + LEVEL) / 2))
    middle = share + z * z / (2 * n)
    half = z * ((share * (1 - share) + z * z / (4 * n)) / n) ** 0.5
    ends = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return Interval(max(0.0, ends[0]), min(1.0, ends[1]))


def estimate(
    score: Score,
    patients: Sequence[str],
    shares: Mapping[str, int] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Compute scores with 95 % confidence intervals by a bootstrap over patients.

    Args:
        score: Function that computes scores of reweighted images.
        patients: Patient ID of each of the N images.
        shares: For each score that is a proportion, the number of patients with the images that it
            is a proportion of; see `Resampled.interval`.
        draws: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        Estimates by the names that `score` returns.

    Example:
        >>> import numpy as np
        >>> correct = np.array([1.0, 1.0, 0.0, 1.0])
        >>> found = estimate(lambda w: {"accuracy": w @ correct / w.sum(axis=1)}, list("abcd"))
        >>> found["accuracy"].value
        0.75
    """
    counts = shares or {}
    resampled = resample(score, patients, draws=draws, seed=seed)
    return {name: found.estimate(counts.get(name, 0)) for name, found in resampled.items()}


def resample(
    score: Score, patients: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Resampled]:
    """Compute scores of a set of images, of its resamples, and with each patient left out.

    Args:
        score: Function that computes scores of reweighted images.
        patients: Patient ID of each of the N images.
        draws: Number of resamples.
        seed: Seed of the resamples. The same seed and patients give the same resamples, so scores
            of several models can be paired.
    """
    _, codes = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    codes = codes.astype(np.int64)
    drawn = [score(weights) for weights in _drawn_weights(codes, draws, seed)]
    left = [score(weights) for weights in _left_out_weights(codes)]
    return {
        name: Resampled(
            value=float(value[0]),
            draws=np.concatenate([scores[name] for scores in drawn]),
            left_out=np.concatenate([scores[name] for scores in left]),
        )
        for name, value in score(np.ones((1, len(codes)))).items()
    }


def _drawn_weights(codes: Ints, draws: int, seed: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    n = int(codes.max(initial=-1)) + 1
    for rows in _portions(draws, len(codes)):
        picked = rng.integers(0, max(n, 1), (rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(picked.ravel(), minlength=rows * n).reshape(rows, n)
        yield counts[:, codes].astype(np.float64)


def _left_out_weights(codes: Ints) -> Iterator[Floats]:
    groups = codes % _MAX_LEFT_OUT
    n = int(groups.max(initial=-1)) + 1
    start = 0
    for rows in _portions(n, len(codes)):
        left = np.arange(start, start + rows)[:, None]
        start += rows
        yield (groups[None, :] != left).astype(np.float64)


def _portions(rows: int, columns: int) -> Iterator[int]:
    """Split rows into at least one portion, so that the weights of each portion fit into memory."""
    most = max(1, _MAX_CELLS // max(columns, 1))
    yield min(most, rows)
    for start in range(most, rows, most):
        yield min(most, rows - start)


def _tolerance(draws: npt.NDArray[np.float64]) -> float:
    """Return the difference below which two resampled values count as equal."""
    return 1e-12 * max(1.0, float(np.abs(draws).max(initial=0.0)))
