"""Draw smooth shapes in body coordinates onto a square map of attenuation."""

import math
from collections.abc import Sequence
from functools import cache, cached_property
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Map: TypeAlias = NDArray[np.float32]
Points: TypeAlias = NDArray[np.float64]

# OpenCV expects vertices as integers with this number of fractional bits.
_SHIFT = 4


@cache
def _basis(controls: int, samples: int) -> Points:
    """Compute weights (M, N) of N control points for M points of an open Catmull-Rom spline."""
    t = np.linspace(0, controls - 1, (controls - 1) * samples + 1)
    segment = np.minimum(t.astype(int), controls - 2)
    f = t - segment
    weights = np.zeros((len(t), controls))
    terms = (
        (-f + 2 * f**2 - f**3) / 2,
        (2 - 5 * f**2 + 3 * f**3) / 2,
        (f + 4 * f**2 - 3 * f**3) / 2,
        (f**3 - f**2) / 2,
    )
    for offset, term in zip((-1, 0, 1, 2), terms, strict=True):
        index = np.clip(segment + offset, 0, controls - 1)
        np.add.at(weights, (np.arange(len(t)), index), term)
    return weights


def spline(controls: Sequence[tuple[float, float]] | Points, samples: int = 6) -> Points:
    """Compute an open Catmull-Rom spline through control points.

    Args:
        controls: (..., N, 2) points, N >= 2.
        samples: Steps between neighboring control points.

    Returns:
        (..., (N - 1) * samples + 1, 2) points, including both ends.
    """
    points = np.asarray(controls, dtype=np.float64)
    return np.asarray(_basis(points.shape[-2], samples) @ points)


def ribbon(center: Points, width: float | Points) -> Points:
    """Compute the outline of a band along a curve.

    Args:
        center: (..., K, 2) points of the center line.
        width: Full width, a number or (..., K).

    Returns:
        (..., 2 K, 2) points: one edge forward, the other edge backward.
    """
    tangent = np.gradient(center, axis=-2)
    length = np.linalg.norm(tangent, axis=-1, keepdims=True) + 1e-9
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], axis=-1) / length
    half = np.broadcast_to(np.asarray(width) / 2, center.shape[:-1])[..., None] * normal
    return np.concatenate([center + half, (center - half)[..., ::-1, :]], axis=-2)


class Canvas:
    """Square map of `size` x `size` pixels with a pose of the body.

    In body coordinates, x points to the right of the image (the left of the patient) and y down;
    the spine is at x = 0. With scale 1 and no shift, the map covers [-1, 1] in both directions.

    Args:
        size: Side in pixels.
        angle: Clockwise rotation of the image in degrees.
        scale: Magnification.
        shift: (x, y) of the origin of the body on the map, in half sides.
    """

    def __init__(
        self,
        size: int,
        *,
        angle: float = 0.0,
        scale: float = 1.0,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.size = size
        self.unit = scale * size / 2
        cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        self._matrix = self.unit * np.array([[cos, sin], [-sin, cos]])
        self._origin = (1 + np.asarray(shift)) * size / 2 - 0.5

    def pixels(self, points: Points) -> Points:
        """Convert body points (..., 2) to pixel coordinates (column, row)."""
        return np.asarray(points @ self._matrix + self._origin)

    @cached_property
    def grid(self) -> tuple[Map, Map]:
        """Body coordinates x and y of all pixels, (H, W) each."""
        inverse = np.linalg.inv(self._matrix).astype(np.float32)
        span = np.arange(self.size, dtype=np.float32)
        column, row = span - np.float32(self._origin[0]), span - np.float32(self._origin[1])
        x = column[None, :] * inverse[0, 0] + row[:, None] * inverse[1, 0]
        y = column[None, :] * inverse[0, 1] + row[:, None] * inverse[1, 1]
        return x, y

    def fill(self, *outlines: Points, level: float | Sequence[float] = 1.0) -> Map:
        """Fill closed outlines; later outlines cover earlier ones.

        Args:
            outlines: (N, 2) body points of each outline.
            level: Value in [0, 1], one for all or one per outline.

        Returns:
            (H, W) in [0, 1], antialiased.
        """
        layer = np.zeros((self.size, self.size), np.uint8)
        # One call per outline: within one call, OpenCV leaves overlaps empty.
        for outline, value in zip(
            self._fixed(outlines), _levels(level, len(outlines)), strict=True
        ):
            cv2.fillPoly(layer, [outline], value, cv2.LINE_AA, _SHIFT)
        return _unit_range(layer)

    def stroke(
        self,
        curves: Sequence[Points],
        width: float,
        *,
        level: float = 1.0,
        closed: bool = False,
    ) -> Map:
        """Draw lines. Lines thinner than a pixel are drawn fainter.

        Args:
            curves: (K, 2) body points of each line.
            width: Line width in body units.
            level: Value in [0, 1].
            closed: Connect the last point to the first.

        Returns:
            (H, W) in [0, 1], antialiased.
        """
        layer = np.zeros((self.size, self.size), np.uint8)
        pixels = width * self.unit
        thickness = max(1, round(pixels))
        value = round(255 * level * min(1.0, pixels))
        cv2.polylines(layer, self._fixed(curves), closed, value, thickness, cv2.LINE_AA, _SHIFT)
        return _unit_range(layer)

    def blur(self, layer: Map, sigma: float) -> Map:
        """Apply a Gaussian blur of `sigma` body units; large ones at a quarter of the size."""
        pixels = sigma * self.unit
        if pixels < 2.5 or self.size < 32:
            return _blurred(layer, pixels)
        side = self.size // 4
        coarse = cv2.resize(layer, (side, side), interpolation=cv2.INTER_AREA)
        small = _blurred(np.asarray(coarse, np.float32), pixels / 4)
        shape = (self.size, self.size)
        return np.asarray(cv2.resize(small, shape, interpolation=cv2.INTER_LINEAR), np.float32)

    def clouds(self, rng: np.random.Generator, cells: int) -> Map:
        """Draw smooth noise of mean 0 and variance of about 1, with `cells` features per side."""
        small = rng.standard_normal((cells, cells), dtype=np.float32)
        shape = (self.size, self.size)
        return np.asarray(cv2.resize(small, shape, interpolation=cv2.INTER_CUBIC), np.float32)

    def _fixed(self, curves: Sequence[Points]) -> list[NDArray[np.int32]]:
        """Convert points to OpenCV vertices, all at once, since each call has a fixed cost."""
        scaled = self.pixels(np.concatenate(curves)) * (1 << _SHIFT)
        vertices = np.rint(scaled).astype(np.int32)
        ends = np.cumsum([0] + [len(curve) for curve in curves]).tolist()
        return [vertices[a:b] for a, b in pairwise(ends)]


def _blurred(layer: Map, sigma: float) -> Map:
    # Below a quarter of a pixel, the kernel has a single element.
    if sigma < 0.25:
        return layer
    side = 2 * math.ceil(2.5 * sigma) + 1
    return np.asarray(cv2.GaussianBlur(layer, (side, side), sigma), np.float32)


def _levels(level: float | Sequence[float], count: int) -> list[int]:
    values = [level] * count if isinstance(level, float) else level
    return [round(255 * value) for value in values]


def _unit_range(layer: NDArray[np.uint8]) -> Map:
    return np.multiply(layer, np.float32(1 / 255), dtype=np.float32)
