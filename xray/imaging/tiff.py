"""TIFF files: which are read, and their 16-bit gray values.

Read are single images of 1 to 8 bits, or of 16 bits in gray, that are uncompressed or compressed
without loss (LZW, deflate, PackBits). All other kinds are rejected by their header, since their
decoders are rarely tested or do not limit their memory.
"""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from xray.errors import ImageError
from xray.imaging.format import CONVERT

# Tags of TIFF 6.0
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_SAMPLES, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _SAMPLE_FORMAT = 277, 284, 322, 323, 339

_LOSSLESS = frozenset({1, 5, 8, 32773, 32946})
_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "RGBX"})
_WIDE_MODES = frozenset({"I;16", "I;16B"})
_WHITE_IS_ZERO = 0
_UNSIGNED = 1


def open_tiff(file: BinaryIO, path: Path, max_pixels: int) -> ImageFile:
    """Open a TIFF file by its header.

    Raises:
        ImageError: It has several pages, or is compressed or stored in a way that is not read.
    """
    image = TiffImageFile(file)
    tags = image.tag_v2
    if image.is_animated:
        advice = "Save the page you need as a single image."
        raise ImageError(path, "contains several pages", advice)
    if tags.get(_COMPRESSION, 1) not in _LOSSLESS:
        kind = image.info.get("compression", tags.get(_COMPRESSION))
        raise ImageError(
            path, f"is a TIFF image of a compression that is not read ({kind})", CONVERT
        )
    bits, channels = tiff_depth(image)
    formats = set(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
    is_gray_16 = image.mode in _WIDE_MODES
    is_readable = is_gray_16 or (image.mode in _MODES and bits <= 8)
    if not is_readable or formats != {_UNSIGNED} or (channels > 1 and tags.get(_PLANAR, 1) != 1):
        reason = f"is a TIFF image of a kind that is not read ({channels} x {bits} bits)"
        raise ImageError(path, reason, CONVERT)
    if tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_HEIGHT, 0) > max_pixels:
        raise ImageError(path, f"has tiles of more than {max_pixels:,} pixels", CONVERT)
    return image


def tiff_depth(image: ImageFile) -> tuple[int, int]:
    """Return the bits per channel and the number of channels."""
    tags = _tags(image)
    return max(tags.get(_BITS, (1,))), int(tags.get(_SAMPLES, 1))


def tiff_size(image: ImageFile) -> tuple[int, int]:
    """Return (width, height) as stored, before the orientation is applied."""
    tags = _tags(image)
    return int(tags[_WIDTH]), int(tags[_HEIGHT])


def is_wide(image: ImageFile) -> bool:
    """Check whether an opened TIFF image has gray values of more than 8 bits."""
    return image.mode in _WIDE_MODES


def wide_gray(image: ImageFile) -> npt.NDArray[np.uint16]:
    """Return the gray values of a loaded image of more than 8 bits, (H, W), bright for large."""
    values = np.asarray(image).astype(np.uint16)
    # Pillow inverts 8-bit images of this kind, but not those of 16 bits.
    if _tags(image).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        return np.asarray(values.max() - values, np.uint16)
    return values


def _tags(image: ImageFile) -> dict[int, Any]:
    return dict(image.tag_v2)  # type: ignore[attr-defined]
