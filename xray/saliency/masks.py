"""Masks beside the images: lungs and lesions, as the network is given the image."""

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
    """Look for a mask: root/masks/<kind>/<path of the image below root>, as PNG.

    Args:
        sample: The image, below `root`.
        root: The dataset's folder.
        kind: Of what.

    Returns:
        (h, w) bool in the file's size; None where there is no such file.
    """
    if not sample.path.is_relative_to(root):
        return None
    path = (root / "masks" / kind / sample.path.relative_to(root)).with_suffix(".png")
    if not path.is_file():
        return None
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L")) > 0


def mask_of(dataset: SplitDataset, index: int, kind: MaskKind) -> Mask | None:
    """Bring an image's mask to the (H, W) of `dataset.pixels(index)`, by the same transform."""
    mask = read_mask(dataset.samples[index], dataset.root, kind)
    if mask is None:
        return None
    pixels = dataset.fitted(mask.astype(np.uint8) * 255)
    return np.asarray(pixels[0].numpy() > _HALF)
