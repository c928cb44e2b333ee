"""Read an image file as a grayscale array: the only path from files to pixels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xray.errors import ImageError
from xray.imaging.dicom import read_dicom
from xray.imaging.format import REPLACE, SUFFIXES, Format, open_image
from xray.imaging.limits import MAX_PIXELS
from xray.imaging.raster import read_raster
from xray.imaging.scale import Gray

IMAGE_SUFFIXES = frozenset[str]().union(*SUFFIXES.values())
"""File name endings of the formats that are read, in lower case."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """An image and what a user should know about how it was read.

    Attributes:
        pixels: (H, W) uint8, C-contiguous, writable, in [0, 255].
        notes: Sentences, for example about outliers that were clipped.
        color: Share of colored pixels in the file, in [0, 1]; 0 unless it was requested.
    """

    pixels: Gray
    notes: tuple[str, ...] = ()
    color: float = 0.0


def read_image(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> Gray:
    """Read an image file as a grayscale image, see `load_image`.

    Returns:
        (H, W) uint8, C-contiguous, writable, in [0, 255].

    Raises:
        ImageError: The file cannot be used, see `load_image`.
    """
    return load_image(path, max_pixels=max_pixels).pixels


def load_image(
    path: Path | str, *, max_pixels: int = MAX_PIXELS, color: bool = False
) -> LoadedImage:
    """Read a PNG, JPEG, BMP, TIFF, WebP or DICOM file as a grayscale image, with notes.

    - The format is detected from the content, not from the file name.
    - Colors, palettes and CMYK are converted to luminance (ITU-R BT.601). The EXIF orientation is
      applied.
    - 8 bits and fewer keep their scale (0 to full scale). More bits are scaled so that the lowest
      and highest value become 0 and 255. If outliers would at least double this range, they are
      clipped and a note is returned, see `xray.imaging.scale.find_span`.
    - An alpha channel of a single value is ignored; others are composited over black, the
      background on which radiographs are viewed.
    - DICOM files are converted as described in `xray.imaging.dicom`.
    - PNG files are verified by their checksums. JPEG files have none: every warning of libjpeg
      counts as damage. BMP and uncompressed TIFF files have no redundancy, so that only truncation
      is detected.

    Args:
        path: The file.
        max_pixels: Largest allowed width x height; checked in the header before decoding.
        color: Also compute the share of colored pixels.

    Raises:
        ImageError: The file is missing or unreadable; not a single image of these formats; of a
            kind that is not read; damaged; larger than `max_pixels`; smaller than 32 pixels on a
            side; of a single gray value; or DICOM without an installed decoder.
    """
    path = Path(path)
    with open_image(path) as (file, kind):
        if kind is Format.DICOM:
            raster = read_dicom(file, path, max_pixels, color=color)
        else:
            raster = read_raster(file, kind, path, max_pixels, color=color)
    pixels = raster.pixels
    if pixels.min() == pixels.max():
        raise ImageError(path, "is blank: all pixels have the same value", REPLACE)
    # Arrays of Pillow are read-only, which torch.from_numpy does not accept.
    pixels = np.require(pixels, requirements=["C_CONTIGUOUS", "WRITEABLE"])
    return LoadedImage(pixels, (raster.note,) if raster.note else (), raster.color)
