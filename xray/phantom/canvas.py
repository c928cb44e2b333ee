"""Drawing smooth shapes, given in body coordinates, onto a square map of attenuation."""

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

# OpenCV takes vertices as integers with this many fractional bits.
_SHIFT = 4


@cache
def _basis(controls: int, samples: int) -> Points:
    """Weights (M, N) of N control points in each of M points of an open Catmull-Rom spline."""
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
    """An open Catmull-Rom curve through control points.

    Args:
        controls: (..., N, 2) points, N >= 2.
        samples: Steps between neighbouring control points.

    Returns:
        (..., (N - 1) * samples + 1, 2) points, the ends included.
    """
    points = np.asarray(controls, dtype=np.float64)
    return np.asarray(_basis(points.shape[-2], samples) @ points)


def ribbon(centre: Points, width: float | Points) -> Points:
    """Outline of a band along a curve.

    Args:
        centre: (..., K, 2) points of the centre line.
        width: Full width, one number or (..., K).

    Returns:
        (..., 2 K, 2) points: one edge forwards, the other back.
    """
    tangent = np.gradient(centre, axis=-2)
    length = np.linalg.norm(tangent, axis=-1, keepdims=True) + 1e-9
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], axis=-1) / length
    half = np.broadcast_to(np.asarray(width) / 2, centre.shape[:-1])[..., None] * normal
    return np.concatenate([centre + half, (centre - half)[..., ::-1, :]], axis=-2)


class Canvas:
    """A square map of `size` pixels a side that sees the body through a pose.

    Body coordinates: x to the image's right (the patient's left), y down, the spine at x = 0; at
    scale 1 without shift the map spans [-1, 1] in both.

    Args:
        size: Side in pixels.
        angle: Rotation in degrees, clockwise on the image.
        scale: Magnification.
        shift: (x, y) of the body's origin on the map, in half sides.
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
        """Map body points (..., 2) to pixel (column, row)."""
        return np.asarray(points @ self._matrix + self._origin)

    @cached_property
    def grid(self) -> tuple[Map, Map]:
        """Body coordinates x and y of every pixel, (H, W) each."""
        inverse = np.linalg.inv(self._matrix).astype(np.float32)
        span = np.arange(self.size, dtype=np.float32)
        column, row = span - np.float32(self._origin[0]), span - np.float32(self._origin[1])
        x = column[None, :] * inverse[0, 0] + row[:, None] * inverse[1, 0]
        y = column[None, :] * inverse[0, 1] + row[:, None] * inverse[1, 1]
        return x, y

    def fill(self, *outlines: Points, level: float | Sequence[float] = 1.0) -> Map:
        """Fill closed outlines, later ones over earlier ones.

        Args:
            outlines: (N, 2) body points each.
            level: Value in [0, 1], one for all or one for each.

        Returns:
            (H, W) in [0, 1], antialiased.
        """
        layer = np.zeros((self.size, self.size), np.uint8)
        # One call each: within a call OpenCV leaves the overlap of two outlines empty.
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
        """Draw lines of a width in body units; one thinner than a pixel is drawn fainter.

        Args:
            curves: (K, 2) body points each.
            width: Line width.
            level: Value in [0, 1].
            closed: Join the last point to the first.

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
        """Gaussian blur, `sigma` in body units; broad ones at a quarter of the resolution."""
        pixels = sigma * self.unit
        if pixels < 2.5 or self.size < 32:
            return _blurred(layer, pixels)
        side = self.size // 4
        coarse = cv2.resize(layer, (side, side), interpolation=cv2.INTER_AREA)
        small = _blurred(np.asarray(coarse, np.float32), pixels / 4)
        shape = (self.size, self.size)
        return np.asarray(cv2.resize(small, shape, interpolation=cv2.INTER_LINEAR), np.float32)

    def clouds(self, rng: np.random.Generator, cells: int) -> Map:
        """Smooth noise of zero mean and about unit variance, `cells` features a side."""
        small = rng.standard_normal((cells, cells), dtype=np.float32)
        shape = (self.size, self.size)
        return np.asarray(cv2.resize(small, shape, interpolation=cv2.INTER_CUBIC), np.float32)

    def _fixed(self, curves: Sequence[Points]) -> list[NDArray[np.int32]]:
        """Vertices as OpenCV takes them; all at once, as calls would cost more than the sums."""
        scaled = self.pixels(np.concatenate(curves)) * (1 << _SHIFT)
        vertices = np.rint(scaled).astype(np.int32)
        ends = np.cumsum([0] + [len(curve) for curve in curves]).tolist()
        return [vertices[a:b] for a, b in pairwise(ends)]


def _blurred(layer: Map, sigma: float) -> Map:
    # Below a quarter of a pixel the kernel is a single tap.
    if sigma < 0.25:
        return layer
    side = 2 * math.ceil(2.5 * sigma) + 1
    return np.asarray(cv2.GaussianBlur(layer, (side, side), sigma), np.float32)


def _levels(level: float | Sequence[float], count: int) -> list[int]:
    values = [level] * count if isinstance(level, float) else level
    return [round(255 * value) for value in values]


def _unit_range(layer: NDArray[np.uint8]) -> Map:
    return np.multiply(layer, np.float32(1 / 255), dtype=np.float32)
