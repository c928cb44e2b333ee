"""Find files that show the same radiograph: identical files and processed copies."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from xray.integrity.index import Index
from xray.machine import in_threads

Image = NDArray[np.uint8]
Matrix = NDArray[np.float32]
View = tuple[float, float, float]

CANDIDATE = 0.82
"""Smallest correlation of the descriptors of a pair that is compared in detail.

Of the 17 million pairs of 5,840 pediatric radiographs (Kermany et al. 2018) about 3,000 pass.
So do copies that were re-encoded, resized, brightened, rotated by two degrees or cropped by 6 % per
side. At the same recall, perceptual hashes would pass a hundred times as many pairs, since
radiographs are similar to each other.
"""

CONFIRMED = 0.88
"""Smallest correlation of aligned details of two copies with the same field of view.

Copies with changed gray values (gamma, CLAHE) reach 0.88 or more, all other copies 0.95. Among all
pairs of different patients in the dataset above the maximum is 0.82. Two exposures of one patient
taken in succession may reach 0.87.
"""

MOVED = 0.91
"""Smallest correlation of aligned details of two copies with different fields of view.

It is larger than `CONFIRMED`, since the alignment also increases the correlation of unrelated
images. Cropped and rotated copies reach 0.91 or more; among the half million pairs of a thousand
phantoms the maximum is 0.885.
"""

# Largest shift of a corner for the same field of view, as a share of the side.
_IN_PLACE = 0.02
_SIDE = 32
# A copy may be cropped: share of the side that is visible, left and upper end of this part.
_VIEWS: tuple[View, ...] = (
    (1.0, 0.0, 0.0),
    *((1 - 2 * cut, cut, cut) for cut in (0.02, 0.04, 0.06)),
    *((0.96, x, y) for x in (0.0, 0.04) for y in (0.0, 0.04)),
)
_BLOCK = 1024


class _Level(NamedTuple):
    """Step of the alignment: side in pixels, band-pass filter, window and number of iterations."""

    side: int
    low: float
    high: float
    window: int
    iterations: int


# The details of the second level (1/128 to 1/32 of the side) differ between exposures.
_LEVELS = (_Level(64, 0.0, 4.0, 3, 20), _Level(128, 1.0, 4.0, 1, 10))
# Smallest share of the area that two aligned images have in common.
_OVERLAP = 0.6
# Fewer pairs are compared within about two seconds and need no progress bar.
_SILENT = 200


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Two files that show the same radiograph.

    Attributes:
        first: Position of the first file.
        second: Position of the second file, larger than `first`.
        correlation: Correlation of the aligned details, in [-1, 1]; 1 for identical files.
        exact: Whether the files are identical.
    """

    first: int
    second: int
    correlation: float
    exact: bool


def find_duplicates(index: Index, read: Callable[[int], Image]) -> list[Pair]:
    """Find files that show the same radiograph.

    Args:
        index: Fingerprints of the files.
        read: Returns the image at a position, (H, W) uint8; used for similar images only.

    Returns:
        Pairs, ascending. Identical files are paired with the first of them, and only the first is
        compared with other images.
    """
    same: dict[str, list[int]] = defaultdict(list)
    for i in index.usable().tolist():
        same[str(index.rows["sha256"][i])].append(i)
    exact = [Pair(group[0], i, 1.0, True) for group in same.values() for i in group[1:]]
    distinct = [group[0] for group in same.values()]
    return sorted(chain(exact, _near(index.rows["thumbnail"][distinct], distinct, read)))


def _near(
    thumbnails: Image, positions: Sequence[int], read: Callable[[int], Image]
) -> Iterator[Pair]:
    candidates = [(positions[i], positions[j], view) for i, j, view in _candidates(thumbnails)]

    def compare(candidate: tuple[int, int, View]) -> Alignment:
        first, second, view = candidate
        return align(read(first), read(second), view)

    alignments = in_threads(compare, candidates, "Comparing similar images", quiet=_SILENT)
    for (i, j, _), alignment in zip(candidates, alignments, strict=True):
        if alignment.same:
            yield Pair(min(i, j), max(i, j), alignment.correlation, False)


def _candidates(thumbnails: Image) -> list[tuple[int, int, View]]:
    """List (i, j, view) for which this view of image i is similar to image j."""
    if not len(thumbnails):
        return []
    whole = _describe(thumbnails, _VIEWS[0])
    best: dict[tuple[int, int], tuple[float, int, int, View]] = {}
    for view in _VIEWS:
        cropped = _describe(thumbnails, view)
        for start in range(0, len(whole), _BLOCK):
            scores = cropped[start : start + _BLOCK] @ whole.T
            for row, column in zip(*np.nonzero(scores >= CANDIDATE), strict=True):
                i, j = start + int(row), int(column)
                if i != j:
                    found = (float(scores[row, column]), i, j, view)
                    pair = (min(i, j), max(i, j))
                    best[pair] = max(best.get(pair, found), found)
    return [(i, j, view) for _, i, j, view in best.values()]


def _describe(thumbnails: Image, view: View) -> Matrix:
    """Compute descriptors (N, 1024) float32 of unit length: thumbnails after a high-pass filter."""
    described = np.empty((len(thumbnails), _SIDE * _SIDE), np.float32)
    for i, thumbnail in enumerate(thumbnails):
        seen = _warp(thumbnail.astype(np.float32), _crop(view, thumbnail.shape[0]))
        small = cv2.resize(seen, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        detail = small - cv2.GaussianBlur(small, (0, 0), _SIDE / 16)
        described[i] = (detail - detail.mean()).ravel()
    described /= np.maximum(np.linalg.norm(described, axis=1, keepdims=True), 1e-6)
    return described


def _crop(view: View, side: int) -> Matrix:
    """Return the (2, 3) float32 transform from pixels of a view to pixels of the whole image."""
    scale, x, y = view
    return np.array([[scale, 0, x * (side - 1)], [0, scale, y * (side - 1)]], np.float32)


def _warp(image: Matrix, transform: Matrix) -> Matrix:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, transform, image.shape[::-1], flags=flags), np.float32)


class Alignment(NamedTuple):
    """Agreement of the details of two aligned images.

    Attributes:
        correlation: Pearson correlation in the common area, in [-1, 1]; -1 without an alignment.
        moved: Largest shift of a corner, as a share of the side.
    """

    correlation: float
    moved: float

    @property
    def same(self) -> bool:
        """Whether the images show the same radiograph."""
        return self.correlation >= (CONFIRMED if self.moved <= _IN_PLACE else MOVED)


_APART = Alignment(-1.0, 1.0)


def align(first: Image, second: Image, view: View = _VIEWS[0]) -> Alignment:
    """Align two images and correlate their details.

    The affine transform maximizes the enhanced correlation coefficient (Evangelidis and Psarakis
    2008, doi:10.1109/TPAMI.2008.113), first at a coarse, then at a fine scale.

    Args:
        first: (H, W) uint8.
        second: (H, W) uint8, possibly of another size.
        view: Start of the search: the share of the side of `first` that `second` shows, and the
            left and upper end of this part, as shares of the side.
    """
    transform, previous = _crop(view, _LEVELS[0].side), _LEVELS[0].side
    try:
        for level in _LEVELS:
            whole, part = _band(first, level), _band(second, level)
            transform[:, 2] *= level.side / previous
            criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, level.iterations, 1e-4)
            _, found = cv2.findTransformECC(
                part,
                whole,
                transform,
                cv2.MOTION_AFFINE,
                criteria,
                np.ones(part.shape, np.uint8),
                level.window,
            )
            transform, previous = np.array(found, np.float32), level.side
    except cv2.error:
        return _APART  # The search does not converge for unrelated images.
    shared = _warp(np.ones_like(whole), transform) > 0.99  # noqa: PLR2004
    edge = len(shared) // 16
    inside = np.zeros_like(shared)
    inside[edge:-edge, edge:-edge] = shared[edge:-edge, edge:-edge]
    if inside.mean() < _OVERLAP:
        return _APART
    correlation = np.corrcoef(_warp(whole, transform)[inside], part[inside])[0, 1]
    return Alignment(float(correlation), _moved(transform, len(whole)))


def _moved(transform: Matrix, side: int) -> float:
    corners = np.array([[x, y, 1] for x in (0, side) for y in (0, side)], np.float32)
    moved = corners @ transform.T - corners[:, :2]
    return float(np.linalg.norm(moved, axis=1).max()) / side


def _band(image: Image, level: _Level) -> Matrix:
    """Resize an image and apply the band-pass filter of a level, (side, side) float32."""
    size = (level.side, level.side)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = cv2.GaussianBlur(small, (0, 0), level.low) if level.low else small
    return np.asarray(fine - cv2.GaussianBlur(small, (0, 0), level.high), np.float32)
