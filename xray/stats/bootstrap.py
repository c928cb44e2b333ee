"""Intervals by a bootstrap over patients: whoever is drawn brings all of their images.

Patients are drawn at random whatever their class: how many patients of each class there are is a
matter of chance too, and a patient may have images of both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from xray.stats.scores import Floats, Ints

DRAWS = 2000
LEVEL = 0.95
FEWEST_DEFINED = 0.9
"""Of the draws; where a score is defined in fewer of them, no interval is given."""

FEWEST_PATIENTS = 2

_CELLS = 2_000_000
"""Of the weights held at a time."""
_LEFT_OUT = 500
"""Patients are left out one by one up to this many, beyond in as many groups."""

Score = Callable[[Floats], dict[str, Floats]]
"""(B, N) weights -> name -> (B,) values, NaN where undefined."""


@dataclass(frozen=True)
class Interval:
    """Ends of a 95 % confidence interval, both included."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Resampled:
    """A score of a set of images, and of its resamples.

    Attributes:
        value: Of the set; NaN where undefined.
        draws: (B,) of the resamples.
        left_out: (J,) of the set without each patient (or each of 500 groups of them).
    """

    value: float
    draws: Floats
    left_out: Floats

    def __sub__(self, other: "Resampled") -> "Resampled":
        """Pair the resamples: of the same images, patients, draws and seed."""
        return Resampled(
            self.value - other.value, self.draws - other.draws, self.left_out - other.left_out
        )

    def interval(self, share_of: int = 0) -> Interval | None:
        """Give the bias-corrected and accelerated interval (BCa; Efron 1987).

        Args:
            share_of: Where the score is a share of images, or a mean of such shares, how many
                patients these are of. At 0 or 1, which no draw can leave, it then has Wilson's
                interval for so many patients: no score in [0, 1] varies more than a share does.

        Returns:
            None where nothing can be said: there is one patient only, the score is undefined in the
            set or in more than a tenth of the draws, or all draws agree.
        """
        draws = self.draws[np.isfinite(self.draws)]
        enough = len(draws) >= FEWEST_DEFINED * len(self.draws) and len(draws) > 1
        if not np.isfinite(self.value) or not enough or len(self.left_out) < FEWEST_PATIENTS:
            return None
        if np.ptp(draws) <= _rounding(draws):
            return wilson(self.value, share_of) if share_of >= FEWEST_PATIENTS else None
        tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        low, high = np.quantile(draws, self._levels(draws, tails))
        return Interval(float(low), float(high))

    def _levels(self, draws: Floats, tails: Floats) -> Floats:
        """Move the quantiles by the bias of the draws and the skew of the patients' influence."""
        slack = _rounding(draws)
        below = np.mean(draws < self.value - slack) / 2 + np.mean(draws <= self.value + slack) / 2
        # Beyond this the correction is made of noise.
        bias = ndtri(np.clip(below, 0.05, 0.95))
        influence = self.left_out[np.isfinite(self.left_out)]
        influence = influence.mean() - influence if len(influence) else influence
        spread = np.sum(influence**2) ** 1.5
        skew = np.sum(influence**3) / (6 * spread) if spread > 0 else 0.0
        shifted = bias + ndtri(tails)
        levels: Floats = ndtr(bias + shifted / (1 - skew * shifted))
        return levels


def wilson(share: float, n: int) -> Interval:
    """Give the score interval of a share (Wilson 1927).

    Args:
        share: In [0, 1].
        n: Of how many independent trials, at least 1.
    """
    z = float(ndtri((1 + LEVEL) / 2))
    middle = share + z * z / (2 * n)
    half = z * ((share * (1 - share) + z * z / (4 * n)) / n) ** 0.5
    ends = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return Interval(max(0.0, ends[0]), min(1.0, ends[1]))


def resample(
    score: Score, patients: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Resampled]:
    """Score a set of images, its bootstrap resamples, and the set without each patient.

    Args:
        score: Gives the scores of reweighted images.
        patients: Whose each of the N images is.
        draws: How many resamples.
        seed: Of the draws; the same seed and patients give the same resamples.
    """
    _, codes = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    codes = codes.astype(np.int64)
    drawn = [score(weights) for weights in _drawn(codes, draws, seed)]
    left = [score(weights) for weights in _left_out(codes)]
    return {
        name: Resampled(
            value=float(value[0]),
            draws=np.concatenate([scores[name] for scores in drawn]),
            left_out=np.concatenate([scores[name] for scores in left]),
        )
        for name, value in score(np.ones((1, len(codes)))).items()
    }


def _drawn(codes: Ints, draws: int, seed: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    n = int(codes.max(initial=-1)) + 1
    for rows in _portions(draws, len(codes)):
        picked = rng.integers(0, max(n, 1), (rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(picked.ravel(), minlength=rows * n).reshape(rows, n)
        yield counts[:, codes].astype(np.float64)


def _left_out(codes: Ints) -> Iterator[Floats]:
    groups = codes % _LEFT_OUT
    n = int(groups.max(initial=-1)) + 1
    start = 0
    for rows in _portions(n, len(codes)):
        left = np.arange(start, start + rows)[:, None]
        start += rows
        yield (groups[None, :] != left).astype(np.float64)


def _portions(rows: int, columns: int) -> Iterator[int]:
    """Split rows so that what is computed of them fits into memory; one portion at least."""
    most = max(1, _CELLS // max(columns, 1))
    yield min(most, rows)
    for start in range(most, rows, most):
        yield min(most, rows - start)


def _rounding(draws: npt.NDArray[np.float64]) -> float:
    """Give the difference below which two draws are the same number."""
    return 1e-12 * max(1.0, float(np.abs(draws).max(initial=0.0)))
