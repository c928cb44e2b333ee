"""BMP files: uncompressed ones are read."""

from pathlib import Path
from typing import BinaryIO

from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile

from xray.errors import ImageError
from xray.imaging.format import CONVERT

# Pillow decodes run-length encoding in Python, without a limit of its own.
_UNCOMPRESSED = frozenset(
    {BmpImageFile.COMPRESSIONS["RAW"], BmpImageFile.COMPRESSIONS["BITFIELDS"]}
)
_HEADER_SIZE = 14
_CORE_HEADER = 12
# Offset of the bits per pixel in an OS/2 core header and in all later headers.
_CORE_DEPTH, _DEPTH = 24, 28
_PALETTE_BITS = 8


def open_bmp(file: BinaryIO, path: Path) -> ImageFile:
    """Open a BMP file by its header.

    Raises:
        ImageError: The pixels are compressed.
    """
    image = BmpImageFile(file)
    if image.info["compression"] not in _UNCOMPRESSED:
        raise ImageError(path, "is a compressed BMP image, which is not read", CONVERT)
    return image


def bmp_depth(file: BinaryIO, image: ImageFile) -> tuple[int, int]:
    """Read the bits per channel and the number of channels; a palette has one channel."""
    file.seek(_HEADER_SIZE)
    header = int.from_bytes(file.read(4), "little")
    file.seek(_CORE_DEPTH if header == _CORE_HEADER else _DEPTH)
    bits = int.from_bytes(file.read(2), "little")
    if bits <= _PALETTE_BITS:
        return bits, 1
    channels = len(image.getbands())
    return (5 if bits == 16 else 8), channels
