"""Images that show the same exposure: the same bytes, or the same radiograph processed anew."""

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
"""Correlation of descriptors from which a pair is looked at closely.

Among the 17 million pairs of 5,840 paediatric radiographs (Kermany et al. 2018) some 3,000 pass; so
do copies re-encoded, resized, brightened, turned by two degrees or cropped by six per cent a side.
At like recall, a Hamming distance of perceptual hashes lets a hundred times as many pass, since
radiographs look alike.
"""

CONFIRMED = 0.88
"""Correlation of aligned details from which two images in the same frame are one exposure.

Copies with other grey values (gamma, CLAHE) reach 0.88 or more, all others 0.95. Of all pairs of
different patients in the set above one reaches 0.82; two exposures of one patient a moment apart
may reach 0.87.
"""

MOVED = 0.91
"""The same where the images had to be moved, since alignment finds likeness where there is none.

Cropped and turned copies reach 0.91 or more; of the half million pairs of a thousand phantoms, two
reach 0.885.
"""

# Share of the side by which a corner may move within the same frame.
_IN_PLACE = 0.02
_SIDE = 32
# A copy may show less of the same radiograph: the share of the side that it shows, and where that
# begins.
_VIEWS: tuple[View, ...] = (
    (1.0, 0.0, 0.0),
    *((1 - 2 * cut, cut, cut) for cut in (0.02, 0.04, 0.06)),
    *((0.96, x, y) for x in (0.0, 0.04) for y in (0.0, 0.04)),
)
_BLOCK = 1024


class _Level(NamedTuple):
    """A step of the alignment: pixels a side, standard deviations of the band, and effort."""

    side: int
    low: float
    high: float
    window: int
    iterations: int


# Details of the second, a band of 1/128 to 1/32 of the side, tell one exposure from another.
_LEVELS = (_Level(64, 0.0, 4.0, 3, 20), _Level(128, 1.0, 4.0, 1, 10))
# Aligned images have to share this much of their area.
_OVERLAP = 0.6
# Fewer are compared within about two seconds, and need no progress bar.
_SILENT = 200


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Two files that show one exposure.

    Attributes:
        first: Position of one.
        second: Position of the other, larger.
        correlation: Of their aligned details, in [-1, 1]; 1 where the bytes are the same.
        exact: Whether the bytes are the same.
    """

    first: int
    second: int
    correlation: float
    exact: bool


def find_duplicates(index: Index, read: Callable[[int], Image]) -> list[Pair]:
    """Find files that show one exposure.

    Args:
        index: Their fingerprints.
        read: Reads the file at a position, (H, W) uint8; called for candidates only.

    Returns:
        Pairs, ascending. Of files with the same bytes each is paired with the first of them, which
        alone is compared with others.
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

    alignments = in_threads(compare, candidates, "Comparing look-alikes", quiet=_SILENT)
    for (i, j, _), alignment in zip(candidates, alignments, strict=True):
        if alignment.same:
            yield Pair(min(i, j), max(i, j), alignment.correlation, False)


def _candidates(thumbnails: Image) -> list[tuple[int, int, View]]:
    """List (i, j, view) where that view of i looks like j."""
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
    """(N, 1024) float32 of unit length: what is left of a thumbnail without its broad shades."""
    described = np.empty((len(thumbnails), _SIDE * _SIDE), np.float32)
    for i, thumbnail in enumerate(thumbnails):
        seen = _warp(thumbnail.astype(np.float32), _crop(view, thumbnail.shape[0]))
        small = cv2.resize(seen, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        detail = small - cv2.GaussianBlur(small, (0, 0), _SIDE / 16)
        described[i] = (detail - detail.mean()).ravel()
    described /= np.maximum(np.linalg.norm(described, axis=1, keepdims=True), 1e-6)
    return described


def _crop(view: View, side: int) -> Matrix:
    """(2, 3) float32: from pixels of the view, scaled back to `side`, to those of the whole."""
    scale, x, y = view
    return np.array([[scale, 0, x * (side - 1)], [0, scale, y * (side - 1)]], np.float32)


def _warp(image: Matrix, transform: Matrix) -> Matrix:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, transform, image.shape[::-1], flags=flags), np.float32)


class Alignment(NamedTuple):
    """How well the details of two images agree once they are aligned.

    Attributes:
        correlation: Pearson's, where both overlap, in [-1, 1]; -1 where they cannot be aligned.
        moved: How far the corner that moved most did, as a share of the side.
    """

    correlation: float
    moved: float

    @property
    def same(self) -> bool:
        """Whether the images are taken for one exposure."""
        return self.correlation >= (CONFIRMED if self.moved <= _IN_PLACE else MOVED)


_APART = Alignment(-1.0, 1.0)


def align(first: Image, second: Image, view: View = _VIEWS[0]) -> Alignment:
    """Align two images and correlate their details.

    The affine transform is found by maximising the enhanced correlation coefficient (Evangelidis
    and Psarakis 2008, doi:10.1109/TPAMI.2008.113), coarse to fine.

    Args:
        first: (H, W) uint8.
        second: (H, W) uint8, of any other size.
        view: Where the search begins: the share of a side of `first` that `second` shows, and the
            left and upper end of it, as shares of the side.
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
        return _APART  # It does not converge on images that have nothing in common.
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
    """(side, side) float32: an image without what is finer and broader than the level's band."""
    size = (level.side, level.side)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = cv2.GaussianBlur(small, (0, 0), level.low) if level.low else small
    return np.asarray(fine - cv2.GaussianBlur(small, (0, 0), level.high), np.float32)
