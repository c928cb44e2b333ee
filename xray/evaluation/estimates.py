"""A figure and its interval, as metrics.json holds them."""

import math

from xray.stats.bootstrap import Interval

Entry = dict[str, float | None]

DIGITS = 10
"""Decimals kept: beyond them a sum depends on the machine that adds it up."""


def plain(value: float | None) -> float | None:
    """Round a number for JSON; None for one that is not finite."""
    return round(float(value), DIGITS) if value is not None and math.isfinite(value) else None


def entry(value: float | None, interval: Interval | None) -> Entry:
    """Give {"value", "low", "high"}: None where undefined, or where no interval can be given."""
    return {
        "value": plain(value),
        "low": plain(interval.low) if interval else None,
        "high": plain(interval.high) if interval else None,
    }
