"""Convert colors and transparency to gray values."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from xray.imaging.scale import Gray

Pixels = TypeVar("Pixels", npt.NDArray[np.uint8], npt.NDArray[np.uint16])

# A pixel is colored if its channels differ by more than this: less may be caused by compression.
_COLORED = 24
# About this many pixels per side are examined.
_EXAMINED = 128


def luminance(image: Image) -> Gray:
    """Convert a decoded image to luminance (ITU-R BT.601), with transparent parts over black.

    Returns:
        (H, W) uint8, possibly read-only.
    """
    if "A" not in image.getbands() and "transparency" not in image.info:
        return np.asarray(image.convert("L"))
    gray_alpha = np.asarray(image.convert("RGBA").convert("LA"))
    return over_black(gray_alpha[..., 0], gray_alpha[..., 1]).astype(np.uint8)


def over_black(gray: Pixels, alpha: Pixels) -> Pixels:
    """Composite (H, W) gray values over black; an alpha channel of a single value is ignored."""
    if alpha.min() == alpha.max():
        return gray
    full = np.iinfo(gray.dtype).max
    return ((gray.astype(np.uint32) * alpha + full // 2) // full).astype(gray.dtype)


def color_share(colors: npt.NDArray[np.uint8]) -> float:
    """Compute the share of clearly colored pixels of (H, W, 3) uint8, in [0, 1].

    A regular grid of about 128 x 128 pixels is examined.
    """
    step = max(1, min(colors.shape[:2]) // _EXAMINED)
    grid = colors[::step, ::step].astype(np.int16)
    return float((grid.max(axis=2) - grid.min(axis=2) > _COLORED).mean())


def color_share_of(image: Image) -> float:
    """Compute `color_share` of a decoded image; 0 for a grayscale image."""
    if image.mode not in {"RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr"}:
        return 0.0
    return color_share(np.asarray(image.convert("RGB")))
