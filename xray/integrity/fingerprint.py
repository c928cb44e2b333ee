"""What an image file is known by: its bytes, its looks, and how it was stored."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from xray.imaging.header import read_header
from xray.imaging.read import read_image

THUMBNAIL = 64
"""Side of a thumbnail, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What an image file is known by.

    Attributes:
        sha256: Of the file's bytes, 64 hex digits.
        format: By its content: "PNG", "JPEG" or "DICOM".
        width: Pixels, as stored.
        height: Pixels, as stored.
        bits: Of one sample, as stored.
        jpeg_quality: 1 to 100, estimated from the quantisation tables; 0 where it is no JPEG.
        thumbnail: (64, 64) uint8, the whole image averaged over areas.
    """

    sha256: str
    format: str
    width: int
    height: int
    bits: int
    jpeg_quality: int
    thumbnail: NDArray[np.uint8]


def fingerprint(path: Path) -> Fingerprint:
    """Read a file whole and take its fingerprint.

    Raises:
        ImageError: It is no image that can be used.
    """
    image = read_image(path)
    thumbnail = cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    header = read_header(path)
    return Fingerprint(
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        format=header.format,
        width=header.width,
        height=header.height,
        bits=header.bits,
        jpeg_quality=header.jpeg_quality or 0,
        thumbnail=np.asarray(thumbnail, np.uint8),
    )
