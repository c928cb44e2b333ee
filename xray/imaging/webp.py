"""WebP files: the size is checked first, since Pillow allocates the canvas when it opens a file."""

import struct
from pathlib import Path
from typing import BinaryIO

from PIL.ImageFile import ImageFile
from PIL.WebPImagePlugin import WebPImageFile

from xray.errors import ImageError
from xray.imaging.format import REPLACE
from xray.imaging.limits import check_frames, check_size

_HEADER = 30
_SIDE_BITS = 0x3FFF


def open_webp(file: BinaryIO, path: Path, max_pixels: int) -> ImageFile:
    """Open a WebP file by its header.

    Raises:
        ImageError: The header is damaged, the size out of range, or the image animated.
    """
    width, height = _size(file.read(_HEADER), path)
    check_size(path, width, height, max_pixels)
    file.seek(0)
    image = WebPImageFile(file)
    check_frames(path, image.n_frames)
    return image


def _size(head: bytes, path: Path) -> tuple[int, int]:
    """Read (width, height) from a lossy, lossless or extended header (RFC 9649, 2.5 to 2.7)."""
    kind = head[12:16]
    if len(head) == _HEADER and kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & _SIDE_BITS, height & _SIDE_BITS
    if len(head) == _HEADER and kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & _SIDE_BITS) + 1, (bits >> 14 & _SIDE_BITS) + 1
    if len(head) == _HEADER and kind == b"VP8X":
        sides = head[24:27], head[27:30]
        return tuple(int.from_bytes(side, "little") + 1 for side in sides)  # type: ignore[return-value]
    raise ImageError(path, "is truncated or corrupted in its WebP header", REPLACE)
