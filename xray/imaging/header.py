"""What an image file says of itself, without its pixels being decoded."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from xray.errors import ImageError
from xray.imaging.dicom_header import read_dicom_header
from xray.imaging.format import REPLACE, Format, open_image
from xray.imaging.limits import MAX_PIXELS
from xray.imaging.raster import open_raster

# Of the PNG header (RFC 2083, 4.1.1): channels by colour type. A palette has one, of indices.
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PNG_DEPTH = 24

# ITU-T T.81, table K.1: quantisation of luminance, row by row.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Attributes:
        format: "PNG", "JPEG" or "DICOM".
        width: Pixels a row as stored, before any EXIF orientation.
        height: Rows as stored.
        bits: Bits a channel; of DICOM, those in use.
        channels: Values a pixel, alpha included; 1 for a palette.
        jpeg_quality: 1 to 100, as in libjpeg, see `estimate_quality`; None if it is no JPEG file.
    """

    format: str
    width: int
    height: int
    bits: int
    channels: int
    jpeg_quality: int | None = None


def read_header(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> Header:
    """Read what an image file says of itself.

    Raises:
        ImageError: What `read_image` refuses without decoding the pixels is refused here as well.
    """
    path = Path(path)
    with open_image(path) as (file, kind):
        if kind is Format.DICOM:
            layout = read_dicom_header(file, path, max_pixels)
            return Header(kind.value, layout.width, layout.height, layout.bits, layout.samples)
        image = open_raster(file, kind, path, max_pixels)
        if kind is Format.PNG:
            return Header(kind.value, *image.size, *_png_depth(file, path))
        # Pillow reads JPEG of 8 bits only, and has its tables row by row.
        tables: dict[int, list[int]] = getattr(image, "quantization")  # noqa: B009
        quality = estimate_quality(tables[min(tables)]) if tables else None
        return Header(kind.value, *image.size, 8, len(image.getbands()), quality)


def estimate_quality(table: list[int]) -> int:
    """Estimate the quality setting that a JPEG file was saved with.

    The setting whose table of luminance is nearest by the sum of absolute differences; exact for
    what libjpeg and its kin wrote. libjpeg (jcparam.c, `jpeg_quality_scaling` and
    `jpeg_add_quant_table`) makes the table of a quality q as T = clip((S K + 50) // 100, 1, 255) of
    the example table K of ITU-T T.81, with S = 5000 // q below 50, else 200 - 2 q.

    Args:
        table: The 64 values of a quantisation table, row by row.

    Returns:
        1 to 100.
    """
    distances = np.abs(_tables() - np.asarray(table)).sum(axis=1)
    return int(distances.argmin()) + 1


@cache
def _tables() -> npt.NDArray[np.int64]:
    """Build libjpeg's tables of luminance of the qualities 1 to 100, (100, 64)."""
    qualities = np.arange(1, 101)
    scales = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables: npt.NDArray[np.int64] = (scales[:, None] * _LUMINANCE.ravel() + 50) // 100
    return tables.clip(1, 255)


def _png_depth(file: BinaryIO, path: Path) -> tuple[int, int]:
    file.seek(_PNG_DEPTH)
    depth, colour = file.read(2)
    if colour not in _PNG_CHANNELS:
        raise ImageError(path, f"is corrupted (PNG has no colour type {colour})", REPLACE)
    return depth, _PNG_CHANNELS[colour]
