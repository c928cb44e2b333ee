"""Images of which a part is hidden: filled with the mean grey of what stays visible.

So nothing of the hidden part is left, not even its brightness, and no black patch is put in that
the network never saw.
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
CENTRE = 0.5
BOX = (0.15, 0.85, 0.10, 0.90)
"""Top, bottom, left, right of a plain thoracic box, as shares of the sides."""
INSIDE, OUTSIDE = 64, 160
"""Greys of a silhouette: the same in every image."""

Pixels = NDArray[np.uint8]
Occlusion = Callable[[Pixels, Mask], Pixels]
"""(H, W) image and its lungs -> (H, W) image."""


def hide(image: Pixels, hidden: Mask) -> Pixels:
    """Fill a part of an image with the mean of the rest; 0 where all is hidden."""
    filled = image.copy()
    visible = image[~hidden]
    filled[hidden] = round(float(visible.mean())) if visible.size else 0
    return filled


def border(height: int, width: int, share: float = BORDER) -> Mask:
    """Mark a frame of `share` of each side."""
    return ~box(height, width, (share, 1 - share, share, 1 - share))


def corners(height: int, width: int, share: float = CORNER) -> Mask:
    """Mark four rectangles of `share` of each side."""
    down, across = round(height * share), round(width * share)
    rows = np.minimum(np.arange(height), np.arange(height)[::-1]) < down
    columns = np.minimum(np.arange(width), np.arange(width)[::-1]) < across
    return np.asarray(rows[:, None] & columns)


def box(height: int, width: int, edges: tuple[float, float, float, float] = BOX) -> Mask:
    """Mark a rectangle: top, bottom, left and right as shares of the sides."""
    top, bottom, left, right = edges
    marked = np.zeros((height, width), bool)
    rows = slice(round(top * height), round(bottom * height))
    marked[rows, round(left * width) : round(right * width)] = True
    return marked


def silhouette(lungs: Mask) -> Pixels:
    """Draw the shape of the lungs alone, in two fixed greys."""
    return np.where(lungs, INSIDE, OUTSIDE).astype(np.uint8)


def _centre(height: int, width: int) -> Mask:
    edge = (1 - CENTRE) / 2
    return box(height, width, (edge, 1 - edge, edge, 1 - edge))


OCCLUSIONS: dict[str, Occlusion] = {
    "border hidden": lambda image, _: hide(image, border(*image.shape)),
    "corners hidden": lambda image, _: hide(image, corners(*image.shape)),
    "centre only": lambda image, _: hide(image, ~_centre(*image.shape)),
    "lungs only": lambda image, lungs: hide(image, ~lungs),
    "lungs hidden": hide,
    "silhouette": lambda _, lungs: silhouette(lungs),
}


class OccludedDataset(SplitDataset):
    """A split whose evaluation images are occluded.

    Args:
        source: The split.
        occlude: What is done to each image.
        masked: Whether the lungs are those of masks beside the images; else a plain box.
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
        """Load image `index` as for evaluation and occlude it, (1, size, size) uint8."""
        image = super().pixels(index)[0].numpy()
        lungs = mask_of(self, index, "lung") if self.masked else None
        occluded = self.occlude(image, box(*image.shape) if lungs is None else lungs)
        return torch.from_numpy(np.ascontiguousarray(occluded))[None]
