"""Gray-value statistics of images, and the range that they have in a training set."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xray.integrity.fingerprint import THUMBNAIL

COLORED = 0.1
"""Share of colored pixels above which an image is reported as a color image."""

_PERCENTILES = (1, 5, 50, 95, 99)
# Side of the coarse image that is correlated with the mean training image.
_COARSE = 16
_CHUNK = 1024
# Percentiles of the training images that bound the usual range, before the margin is added.
_BOUNDS = (0.5, 99.5)
# The range is extended on both sides by this share of its width, at least by the tolerance. Few
# images underestimate the range, so that the margins grow by 1 / N.
_MARGIN = 0.5
_MARGIN_OF_FEW = 8.0
_TOLERANCE_OF_FEW = 16.0
# Statistic -> its tolerance, lowest and highest possible value.
_SCALES = {
    "mean": (10.0, 0.0, 255.0),
    "std": (5.0, 0.0, 127.5),
    "p1": (10.0, 0.0, 255.0),
    "p5": (10.0, 0.0, 255.0),
    "p50": (10.0, 0.0, 255.0),
    "p95": (10.0, 0.0, 255.0),
    "p99": (10.0, 0.0, 255.0),
    "saturated": (0.05, 0.0, 1.0),
    "aspect": (0.1, 0.0, float("inf")),
    "similarity": (0.1, -1.0, 1.0),
}
# Shorter sides below 1/2 of the smallest or above 4 times the largest training image are unusual.
_SMALLER, _LARGER = 0.5, 4.0


@dataclass(frozen=True, slots=True, eq=False)
class ImageStatistics:
    """Statistics of one grayscale image.

    Gray values are those of the 64 x 64 thumbnail (area average), so that images of all sizes and
    the stored fingerprints of a training set are comparable.

    Attributes:
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        mean: Mean gray value, in [0, 255].
        std: Standard deviation of the gray values.
        p1: 1st percentile of the gray values.
        p5: 5th percentile.
        p50: Median.
        p95: 95th percentile.
        p99: 99th percentile.
        saturated: Share of thumbnail pixels that are black (0) or white (255), in [0, 1].
        color: Share of colored pixels in the file, in [0, 1]; 0 for grayscale files.
        coarse: (16, 16) float64, the image averaged over areas.
    """

    width: int
    height: int
    mean: float
    std: float
    p1: float
    p5: float
    p50: float
    p95: float
    p99: float
    saturated: float
    color: float
    coarse: NDArray[np.float64] = field(repr=False)

    @property
    def aspect(self) -> float:
        """Width divided by height."""
        return self.width / self.height


def image_statistics(image: NDArray[np.uint8], *, color: float = 0.0) -> ImageStatistics:
    """Compute the statistics of one image.

    Args:
        image: (H, W) uint8.
        color: Share of colored pixels in the file, see `xray.imaging.read.load_image`.

    Example:
        >>> image = np.full((64, 64), 100, np.uint8)
        >>> image[:, 32:] = 200
        >>> found = image_statistics(image)
        >>> found.mean, found.std, found.p5, found.p95, found.aspect
        (150.0, 50.0, 100.0, 200.0, 1.0)
    """
    size = (THUMBNAIL, THUMBNAIL)
    thumbnail = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = image.shape
    values = _gray_statistics(thumbnail[None])
    scalars = {name: float(column[0]) for name, column in values.items()}
    return ImageStatistics(
        width, height, **scalars, color=color, coarse=_coarse(thumbnail[None])[0]
    )


def reference(rows: NDArray[np.void]) -> "Reference":
    """Compute the usual ranges of a set of training images.

    The range of a statistic is the interval between its 0.5th and 99.5th percentile over the
    images, extended on both sides by (0.5 + 8 / N) times its width.

    Args:
        rows: (N,) fingerprints of readable images, N >= 1, see `xray.integrity.index.ROW`.

    Raises:
        ValueError: There are no rows.
    """
    if not len(rows):
        raise ValueError("A reference needs at least one image.")
    chunks = [rows["thumbnail"][i : i + _CHUNK] for i in range(0, len(rows), _CHUNK)]
    coarse = np.concatenate([_coarse(chunk) for chunk in chunks])
    parts = [_gray_statistics(chunk) for chunk in chunks]
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    values["aspect"] = rows["width"] / rows["height"]
    typical = coarse.mean(axis=0)
    values["similarity"] = _correlation(coarse, typical)
    shorter = np.minimum(rows["width"], rows["height"])
    return Reference(
        ranges={name: _range(column, *_SCALES[name]) for name, column in values.items()},
        sides=(int(shorter.min()), int(shorter.max())),
        typical=tuple(tuple(round(value, 2) for value in row) for row in typical.tolist()),
    )


@dataclass(frozen=True)
class Reference:
    """The usual ranges of the statistics of a training set.

    Attributes:
        ranges: Name of a statistic -> (lowest, highest) usual value.
        sides: Shorter side of the smallest and of the largest training image, in pixels.
        typical: (16, 16) mean training image.
    """

    ranges: Mapping[str, tuple[float, float]]
    sides: tuple[int, int]
    typical: Sequence[Sequence[float]]

    def unusual(self, statistics: ImageStatistics) -> list[str]:
        """Return one sentence for each way in which an image differs from the training images."""
        return [
            *self._gray_values(statistics),
            *self._outside("aspect", statistics.aspect, "aspect ratio (width / height)", ".2f"),
            *self._size(min(statistics.width, statistics.height)),
            *_color(statistics.color),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Reference":
        """Restore a reference from `as_dict`, also after a round trip through JSON.

        Raises:
            KeyError: A value is missing.
        """
        ranges = {name: (float(low), float(high)) for name, (low, high) in values["ranges"].items()}
        smallest, largest = values["sides"]
        typical = tuple(tuple(float(value) for value in row) for row in values["typical"])
        return cls(ranges, (int(smallest), int(largest)), typical)

    def _gray_values(self, statistics: ImageStatistics) -> Iterator[str]:
        similarity = float(_correlation(statistics.coarse[None], np.array(self.typical))[0])
        low, _ = self.ranges["similarity"]
        if similarity < low:
            yield (
                "The image does not resemble the mean training image "
                f"(correlation {similarity:.2f}, usual: at least {low:.2f})."
            )
        names = {
            "mean": "mean gray value",
            "std": "standard deviation of the gray values",
            "p5": "5th percentile of the gray values",
            "p95": "95th percentile of the gray values",
        }
        for name, text in names.items():
            yield from self._outside(name, getattr(statistics, name), text, ".0f")
        name = "saturated"
        yield from self._outside(
            name, statistics.saturated, "share of black or white pixels", ".2f"
        )

    def _outside(self, name: str, value: float, text: str, digits: str) -> Iterator[str]:
        low, high = self.ranges[name]
        if not low <= value <= high:
            yield (
                f"Unusual {text}: {value:{digits}} "
                f"(usual range: {low:{digits}} to {high:{digits}})."
            )

    def _size(self, side: int) -> Iterator[str]:
        smallest, largest = self.sides
        if not smallest * _SMALLER <= side <= largest * _LARGER:
            kind = "small" if side < smallest else "large"
            yield (
                f"Unusually {kind} image: the shorter side has {side} pixels "
                f"(training images: {smallest} to {largest})."
            )


def _color(share: float) -> Iterator[str]:
    if share > COLORED:
        yield (
            f"Color image: {share:.0%} of the pixels are colored. Radiographs are gray; check "
            "that this is not a photograph or a screenshot."
        )


def _gray_statistics(thumbnails: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Compute statistics of (N, 64, 64) thumbnails, (N,) each."""
    flat = thumbnails.reshape(len(thumbnails), -1)
    percentiles = np.percentile(flat, _PERCENTILES, axis=1)
    return {
        "mean": flat.mean(axis=1),
        "std": flat.std(axis=1),
        **{f"p{p}": column for p, column in zip(_PERCENTILES, percentiles, strict=True)},
        "saturated": ((flat == 0) | (flat == np.iinfo(np.uint8).max)).mean(axis=1),
    }


def _coarse(thumbnails: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Average (N, 64, 64) thumbnails over areas, (N, 16, 16)."""
    step = THUMBNAIL // _COARSE
    blocks = thumbnails.reshape(len(thumbnails), _COARSE, step, _COARSE, step)
    return np.asarray(blocks.mean(axis=(2, 4)), np.float64)


def _correlation(images: NDArray[np.float64], typical: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute Pearson's correlation of (N, 16, 16) images with one image, (N,)."""
    one = (typical - typical.mean()).ravel()
    many = images.reshape(len(images), -1)
    many = many - many.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(many, axis=1) * np.linalg.norm(one)
    return np.asarray(many @ one / np.maximum(norms, 1e-9), np.float64)


def _range(
    values: NDArray[np.float64], tolerance: float, lowest: float, highest: float
) -> tuple[float, float]:
    low, high = np.percentile(values, _BOUNDS).tolist()
    share = _MARGIN + _MARGIN_OF_FEW / len(values)
    margin = max(share * (high - low), tolerance * (1 + _TOLERANCE_OF_FEW / len(values)))
    return round(max(low - margin, lowest), 4), round(min(high + margin, highest), 4)
