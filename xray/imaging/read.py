"""The one way an image file becomes an array."""

from pathlib import Path

import numpy as np

from xray.errors import ImageError
from xray.imaging.dicom import read_dicom
from xray.imaging.format import REPLACE, SUFFIXES, Format, open_image
from xray.imaging.limits import MAX_PIXELS
from xray.imaging.raster import Grey, read_raster

IMAGE_SUFFIXES = frozenset[str]().union(*SUFFIXES.values())


def read_image(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> Grey:
    """Read a JPEG, PNG or DICOM file as a greyscale image.

    The content decides the format, not the suffix. Colours, palettes and CMYK become luminance
    (ITU-R BT.601); EXIF orientation is applied. 16 bits are scaled from the file's own lowest and
    highest value to 0..255, without clipping; 8 bits and fewer keep their scale (0..full scale).
    An alpha channel of one value is ignored, as it shows nothing; any other one is composited over
    black, the ground on which radiographs are viewed. DICOM is shown as `xray.imaging.dicom` says.

    A PNG is checked against its checksums. JPEG has none: damage that leaves a decodable stream
    goes unnoticed.

    Args:
        path: The file.
        max_pixels: Largest width x height; checked in the header, before anything is decoded.

    Returns:
        (H, W) uint8, C-contiguous, writable, in [0, 255].

    Raises:
        ImageError: The file is missing or unreadable, no still JPEG, PNG or DICOM image, damaged,
            larger than `max_pixels`, smaller than 32 pixels on a side, or of one value throughout;
            or it is DICOM and what decodes it is not installed.
    """
    path = Path(path)
    with open_image(path) as (file, kind):
        if kind is Format.DICOM:
            pixels = read_dicom(file, path, max_pixels)
        else:
            pixels = read_raster(file, kind, path, max_pixels)
    if pixels.min() == pixels.max():
        raise ImageError(path, "is blank: all its pixels have one value", REPLACE)
    # Pillow's arrays are read-only, which torch.from_numpy does not take.
    return np.require(pixels, requirements=["C_CONTIGUOUS", "WRITEABLE"])
