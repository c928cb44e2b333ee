"""Read the header of an image file, without decoding its pixels."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from xray.imaging.bmp import bmp_depth
from xray.imaging.dicom_header import read_dicom_header
from xray.imaging.format import Format, open_image
from xray.imaging.limits import MAX_PIXELS
from xray.imaging.png import png_depth
from xray.imaging.raster import open_raster
from xray.imaging.tiff import tiff_depth, tiff_size

# ITU-T T.81, table K.1: quantization of luminance, row by row.
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
    """Properties of an image file.

    Attributes:
        format: "PNG", "JPEG", "BMP", "TIFF", "WebP" or "DICOM".
        width: Width in pixels as stored, before any EXIF orientation.
        height: Height in pixels as stored.
        bits: Bits per channel; for DICOM, the bits stored.
        channels: Channels including alpha; 1 for a palette.
        jpeg_quality: Estimated quality setting of a JPEG file, 1 to 100, see `estimate_quality`;
            None for other formats.
    """

    format: str
    width: int
    height: int
    bits: int
    channels: int
    jpeg_quality: int | None = None


def read_header(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> Header:
    """Read the header of an image file; safe for files of unknown origin.

    The size is checked before anything is allocated for the pixels, so that a small file that
    claims an enormous size ("picture bomb") is rejected.

    Args:
        path: The file.
        max_pixels: Largest allowed width x height.

    Raises:
        ImageError: The file is rejected by `read_image` for a reason that its header shows.
    """
    path = Path(path)
    with open_image(path) as (file, kind):
        if kind is Format.DICOM:
            layout = read_dicom_header(file, path, max_pixels)
            return Header(kind.value, layout.width, layout.height, layout.bits, layout.samples)
        image: Any = open_raster(file, kind, path, max_pixels)
        width, height = tiff_size(image) if kind is Format.TIFF else image.size
        bits, channels = _depth(file, kind, image, path)
        quality = _quality(image) if kind is Format.JPEG else None
        return Header(kind.value, width, height, bits, channels, quality)


def _depth(file: BinaryIO, kind: Format, image: Any, path: Path) -> tuple[int, int]:
    match kind:
        case Format.PNG:
            return png_depth(file, path)
        case Format.BMP:
            return bmp_depth(file, image)
        case Format.TIFF:
            return tiff_depth(image)
        case _:
            return 8, len(image.getbands())  # Pillow reads JPEG files of 8 bits only.


def _quality(image: Any) -> int | None:
    # Pillow stores the tables row by row.
    tables: dict[int, list[int]] = image.quantization
    return estimate_quality(tables[min(tables)]) if tables else None


def estimate_quality(table: list[int]) -> int:
    """Estimate the quality setting with which a JPEG file was saved.

    The result is the setting whose luminance table is nearest by the sum of absolute differences;
    it is exact for files of libjpeg and compatible encoders. libjpeg (jcparam.c,
    `jpeg_quality_scaling` and `jpeg_add_quant_table`) computes the table of quality q as
    T = clip((S K + 50) // 100, 1, 255) from the example table K of ITU-T T.81, with
    S = 5000 // q for q < 50, otherwise S = 200 - 2 q.

    Args:
        table: The 64 values of a quantization table, row by row.

    Returns:
        Quality from 1 to 100.
    """
    distances = np.abs(_tables() - np.asarray(table)).sum(axis=1)
    return int(distances.argmin()) + 1


@cache
def _tables() -> npt.NDArray[np.int64]:
    """Compute libjpeg's luminance tables of the qualities 1 to 100, (100, 64)."""
    qualities = np.arange(1, 101)
    scales = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables: npt.NDArray[np.int64] = (scales[:, None] * _LUMINANCE.ravel() + 50) // 100
    return tables.clip(1, 255)
