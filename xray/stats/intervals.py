"""Values with their 95 % confidence intervals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DIGITS = 10
"""Decimals stored in files: further ones depend on the order of floating-point additions."""


@dataclass(frozen=True)
class Interval:
    """Bounds of a 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval.

    Attributes:
        value: The estimate; None if it is undefined.
        low: Lower bound; None if no interval can be computed.
        high: Upper bound; None if no interval can be computed.

    Example:
        >>> print(Estimate(0.955, 0.938, 0.97))
        0.955 [0.938, 0.970]
        >>> print(Estimate(1.0), Estimate())
        1.000 -
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, value: float | None, interval: Interval | None) -> "Estimate":
        """Combine a value and an interval, rounded to 10 decimals; non-finite values are None."""
        ends = (interval.low, interval.high) if interval else (None, None)
        return cls(rounded(value), *map(rounded, ends))

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> "Estimate":
        """Read an estimate from a mapping with "value", "low" and "high"; missing keys are None."""
        return cls(*(entry.get(name) for name in ("value", "low", "high")))

    def as_dict(self) -> dict[str, float | None]:
        """Return {"value", "low", "high"} as stored in metrics.json."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def rounded(value: float | None) -> float | None:
    """Round a number to 10 decimals for JSON; return None if it is missing or not finite."""
    return round(float(value), DIGITS) if value is not None and math.isfinite(value) else None
