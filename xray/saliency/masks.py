"""Lung and lesion masks stored next to the images."""

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from xray.data.dataset import SplitDataset
from xray.saliency.overlay import Mask
from xray.types import Sample

MaskKind = Literal["lung", "lesion"]
_HALF = 127


def read_mask(sample: Sample, root: Path, kind: MaskKind) -> Mask | None:
    """Read the mask root/masks/<kind>/<path of the image below root>, a PNG file.

    Args:
        sample: The image, below `root`.
        root: Folder of the dataset.
        kind: "lung" or "lesion".

    Returns:
        (h, w) bool in the size of the file; None if there is no such file.
    """
    if not sample.path.is_relative_to(root):
        return None
    path = (root / "masks" / kind / sample.path.relative_to(root)).with_suffix(".png")
    if not path.is_file():
        return None
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L")) > 0


def mask_of(dataset: SplitDataset, index: int, kind: MaskKind) -> Mask | None:
    """Read the mask of an image, transformed to (H, W) like `dataset.pixels(index)`."""
    mask = read_mask(dataset.samples[index], dataset.root, kind)
    if mask is None:
        return None
    pixels = dataset.fitted(mask.astype(np.uint8) * 255)
    return np.asarray(pixels[0].numpy() > _HALF)
