"""Scale gray values of more than 8 bits to 0..255."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]

# Share of the pixels on each side that may be clipped as outliers.
_TAIL = 0.0005


@dataclass(frozen=True, slots=True)
class Span:
    """The gray values that become 0 and 255.

    Attributes:
        low: Value that becomes 0.
        high: Value that becomes 255.
        note: Sentence about clipped outliers, or "".
    """

    low: float
    high: float
    note: str = ""


def find_span(values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> Span:
    """Find the range of gray values to show.

    The range is that of all pixels, except outliers such as a hot pixel: values whose distance from
    the 0.05th or 99.95th percentile exceeds the distance between these percentiles, so that a
    single one of them would at least double the range.

    Args:
        values: (V,) distinct values, ascending.
        counts: (V,) number of pixels of each value, all positive.

    Example:
        >>> find_span(np.array([10.0, 20.0, 60000.0]), np.array([5000, 4999, 1]))
        Span(low=10.0, high=20.0, note='1 outlier pixel was clipped to the range 10 to 20.')
    """
    low, high = float(values[0]), float(values[-1])
    order = np.cumsum(counts)
    tail = int(_TAIL * order[-1])
    inner_low = float(values[np.searchsorted(order, tail, side="right")])
    inner_high = float(values[np.searchsorted(order, order[-1] - tail, side="left")])
    inner = inner_high - inner_low
    if inner <= 0:
        return Span(low, high)
    is_usual = (values >= inner_low - inner) & (values <= inner_high + inner)
    if is_usual.all():
        return Span(low, high)
    span_low, span_high = float(values[is_usual][0]), float(values[is_usual][-1])
    clipped = int(counts[~is_usual].sum())
    pixels = "1 outlier pixel was" if clipped == 1 else f"{clipped:,} outlier pixels were"
    note = f"{pixels} clipped to the range {span_low:g} to {span_high:g}."
    return Span(span_low, span_high, note)


def to_8_bits(wide: npt.NDArray[np.uint16]) -> tuple[Gray, str]:
    """Scale (H, W) from its lowest and highest value to 0..255, see `find_span`.

    Returns:
        (H, W) uint8 and a note about clipped outliers, or "".
    """
    histogram = cv2.calcHist([wide], [0], None, [2**16], [0, 2**16]).ravel()
    occurring = np.flatnonzero(histogram)
    counts = histogram[occurring].astype(np.int64)
    span = find_span(occurring.astype(np.float64), counts)
    low, high = int(span.low), int(span.high)
    scale = 255.0 / max(high - low, 1)
    inside = wide.clip(low, high) if span.note else wide
    scaled: Gray = np.rint((inside - np.uint16(low)) * np.float32(scale)).astype(np.uint8)
    return scaled, span.note
