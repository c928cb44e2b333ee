"""Decode JPEG files and treat every warning of libjpeg as damage.

JPEG has no checksum. A stream that was cut, overwritten or combined with the header of another
size usually decodes, with a warning: too little data for the size in the header, or data left over.
simplejpeg raises these warnings as errors; Pillow and OpenCV suppress them. Damage that keeps the
length of the entropy-coded data cannot be detected, for example zeros in the last scans of a
progressive file, which hold the least significant bits.
"""

import numpy as np
import simplejpeg
from PIL.ImageFile import ImageFile

from xray.imaging.scale import Gray

# A file of thousands of scans keeps a decoder busy for hours; encoders write about ten.
_MAX_SCANS = 200
_START_OF_SCAN = b"\xff\xda"
# Color spaces whose first component is the luminance.
_LUMINANCE_FIRST = frozenset({"Gray", "YCbCr"})
_SMALLEST_FACTOR = 8
# In the message for a valid file of rare chroma subsampling, which TurboJPEG does not read.
_SUBSAMPLING = "subsampling"
UNCHECKED = "The JPEG data have a rare chroma subsampling and were not checked for damage."


def decode_jpeg(content: bytes, image: ImageFile) -> tuple[Gray, str]:
    """Decode a JPEG file to luminance.

    Args:
        content: The file.
        image: The same file, opened by Pillow.

    Returns:
        (H, W) uint8, and a note about data that could not be checked, or "".

    Raises:
        ValueError: The file is damaged.
    """
    space = _check_header(content, image.size)
    if space in _LUMINANCE_FIRST:
        # Only the luminance is decoded.
        return np.asarray(simplejpeg.decode_jpeg(content, "GRAY")[..., 0], np.uint8), ""
    if space:
        _check_stream(content, space)
    return np.asarray(image.convert("L")), "" if space else UNCHECKED


def check_jpeg(content: bytes, size: tuple[int, int]) -> None:
    """Check that a JPEG stream of 8 bits is intact and of the expected size.

    Args:
        content: The stream.
        size: Expected (width, height).

    Raises:
        ValueError: The stream is damaged or of another size.
    """
    space = _check_header(content, size)
    if space:
        _check_stream(content, space)


def _check_header(content: bytes, size: tuple[int, int]) -> str:
    """Return the color space, such as "YCbCr"; "" for a file of rare chroma subsampling."""
    scans = content.count(_START_OF_SCAN)
    if scans > _MAX_SCANS:
        raise ValueError(f"it has {scans} scans, more than the {_MAX_SCANS} allowed")
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(content)
    except ValueError as error:
        if _SUBSAMPLING in str(error):
            return ""
        raise
    if (width, height) != size:
        raise ValueError(
            f"its JPEG stream has {width} x {height} pixels, the header {size[0]} x {size[1]}"
        )
    return str(space)


def _check_stream(content: bytes, space: str) -> None:
    # The entropy-coded data are read completely; at 1/8 of the size the rest takes little time.
    target = "CMYK" if space in {"CMYK", "YCCK"} else "GRAY" if space == "Gray" else "RGB"
    simplejpeg.decode_jpeg(content, target, min_height=1, min_width=1, min_factor=_SMALLEST_FACTOR)
