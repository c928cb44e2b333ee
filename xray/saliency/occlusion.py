"""Images with a hidden part, filled with the mean gray value of the visible part.

The filled area reveals nothing about the hidden part, not even its brightness, and it does not add
a black patch, which the network never saw.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xray.data.dataset import SplitDataset
from xray.saliency.masks import mask_of
from xray.saliency.overlay import Mask

BORDER = 0.08
CORNER = 0.15
CENTER = 0.5
BOX = (0.15, 0.85, 0.10, 0.90)
"""Top, bottom, left and right of a box around the lungs, as shares of the sides."""
INSIDE, OUTSIDE = 64, 160
"""Gray values of a silhouette, the same in every image."""

Pixels = NDArray[np.uint8]
Occlusion = Callable[[Pixels, Mask], Pixels]
"""(H, W) image and its lung mask -> (H, W) image."""


def hide(image: Pixels, hidden: Mask) -> Pixels:
    """Fill a part of an image with the mean of the rest; with 0 if everything is hidden."""
    filled = image.copy()
    visible = image[~hidden]
    filled[hidden] = round(float(visible.mean())) if visible.size else 0
    return filled


def border(height: int, width: int, share: float = BORDER) -> Mask:
    """Return a mask of a frame whose width is `share` of each side."""
    return ~box(height, width, (share, 1 - share, share, 1 - share))


def corners(height: int, width: int, share: float = CORNER) -> Mask:
    """Return a mask of the corners, four rectangles of `share` of each side."""
    down, across = round(height * share), round(width * share)
    rows = np.minimum(np.arange(height), np.arange(height)[::-1]) < down
    columns = np.minimum(np.arange(width), np.arange(width)[::-1]) < across
    return np.asarray(rows[:, None] & columns)


def box(height: int, width: int, edges: tuple[float, float, float, float] = BOX) -> Mask:
    """Return a mask of a rectangle: top, bottom, left and right as shares of the sides."""
    top, bottom, left, right = edges
    marked = np.zeros((height, width), bool)
    rows = slice(round(top * height), round(bottom * height))
    marked[rows, round(left * width) : round(right * width)] = True
    return marked


def silhouette(lungs: Mask) -> Pixels:
    """Draw only the shape of the lungs, in two fixed gray values."""
    return np.where(lungs, INSIDE, OUTSIDE).astype(np.uint8)


def _center(height: int, width: int) -> Mask:
    edge = (1 - CENTER) / 2
    return box(height, width, (edge, 1 - edge, edge, 1 - edge))


OCCLUSIONS: dict[str, Occlusion] = {
    "border hidden": lambda image, _: hide(image, border(*image.shape)),
    "corners hidden": lambda image, _: hide(image, corners(*image.shape)),
    "center only": lambda image, _: hide(image, ~_center(*image.shape)),
    "lungs only": lambda image, lungs: hide(image, ~lungs),
    "lungs hidden": hide,
    "silhouette": lambda _, lungs: silhouette(lungs),
}


class OccludedDataset(SplitDataset):
    """A split whose evaluation images are occluded.

    Args:
        source: The split.
        occlude: Occlusion of each image.
        masked: Whether lung masks next to the images are used; else a box.
    """

    def __init__(self, source: SplitDataset, occlude: Occlusion, *, masked: bool) -> None:
        super().__init__(
            source.samples,
            root=source.root,
            train=source.train,
            evaluate=source.evaluate,
            stored=source.stored,
        )
        self.whole = source.whole
        self.occlude = occlude
        self.masked = masked

    def pixels(self, index: int) -> Tensor:
        """Load image `index` as for evaluation and occlude it; return (1, size, size) uint8."""
        image = super().pixels(index)[0].numpy()
        lungs = mask_of(self, index, "lung") if self.masked else None
        occluded = self.occlude(image, box(*image.shape) if lungs is None else lungs)
        return torch.from_numpy(np.ascontiguousarray(occluded))[None]
