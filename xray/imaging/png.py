"""PNG files: chunk order, bit depth and 16-bit colors."""

import struct
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import numpy.typing as npt

from xray.errors import ImageError
from xray.imaging.color import over_black
from xray.imaging.format import REPLACE

_SIGNATURE = 8
_CHECKSUM = 4
_BGRA = 4
# Offset of the bit depth in the header, and channels by color type (RFC 2083, 4.1.1). A palette
# image has one channel of indices.
_DEPTH = 24
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png_depth(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Read the bits per channel and the number of channels.

    Raises:
        ImageError: The color type does not exist.
    """
    file.seek(_DEPTH)
    depth, color = file.read(2)
    if color not in _CHANNELS:
        raise ImageError(path, f"is corrupted (PNG has no color type {color})", REPLACE)
    return depth, _CHANNELS[color]


def check_chunks(file: BinaryIO) -> None:
    """Check that header and palette occur once and that the image data are contiguous.

    Decoders accept a second header or palette, and take the last one or ignore it.

    Raises:
        ValueError: A chunk is duplicated or out of order.
    """
    file.seek(_SIGNATURE)
    seen: list[bytes] = []
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"IEND":
            return
        if name in {b"IHDR", b"PLTE"} and name in seen:
            raise ValueError(f"its {name.decode()} chunk occurs twice")
        if name == b"IDAT" and name in seen and seen[-1] != name:
            raise ValueError("its IDAT chunks are not contiguous")
        if not seen or seen[-1] != name:
            seen.append(name)
        file.seek(length + _CHECKSUM, 1)


def wide_pixels(file: BinaryIO) -> npt.NDArray[np.uint16]:
    """Decode the 16-bit colors of a PNG file, of which Pillow keeps the upper 8 bits only.

    Returns:
        (H, W, 3) or (H, W, 4) uint16, BGR or BGRA.

    Raises:
        OSError: The file cannot be decoded.
    """
    file.seek(0)
    colors = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if colors is None:
        raise OSError("libpng cannot decode it")
    return np.asarray(colors, np.uint16)


def wide_luminance(colors: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Convert (H, W, 3) BGR or (H, W, 4) BGRA to luminance over black, (H, W)."""
    gray = np.asarray(cv2.cvtColor(colors[..., :3], cv2.COLOR_BGR2GRAY), np.uint16)
    if colors.shape[2] != _BGRA:
        return gray
    return over_black(gray, colors[..., 3])
