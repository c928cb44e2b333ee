"""Write values as the cells of a table. Values of an unexpected type are written as "-"."""

import math
from collections.abc import Mapping
from typing import Any

UNDEFINED = "-"


def estimate_text(entry: Any) -> str:
    """Write an estimate with its confidence interval: "0.955 [0.938, 0.970]".

    Args:
        entry: {"value", "low", "high"}, or a number; results of older runs have no intervals.
    """
    if not isinstance(entry, Mapping):
        return number_text(entry)
    value, low, high = (number_text(entry.get(name)) for name in ("value", "low", "high"))
    if UNDEFINED in (value, low, high):
        return value
    return f"{value} [{low}, {high}]"


def number_text(value: Any, digits: int = 3) -> str:
    """Write a finite number with so many decimals."""
    number = as_number(value)
    return UNDEFINED if number is None else f"{number:.{digits}f}"


def count_text(value: Any) -> str:
    """Write a whole number with thousands separators."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else UNDEFINED


def scalar_text(value: Any, missing: str = "unknown", *, length: int = 400) -> str:
    """Write a text, number or Boolean of a JSON or YAML file, cut after `length` characters."""
    text = str(value) if isinstance(value, str | int | float) else missing
    return text if len(text) <= length else f"{text[:length]}…"


def as_number(value: Any) -> float | None:
    """Return a finite number as float, and anything else as None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
