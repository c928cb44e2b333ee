"""Fingerprint of an image file: its bytes, a thumbnail and its storage format."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from xray.imaging.header import read_header
from xray.imaging.read import load_image

THUMBNAIL = 64
"""Side of a thumbnail in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """Fingerprint of an image file.

    Attributes:
        sha256: SHA-256 of the file, 64 hexadecimal digits.
        format: Format by content, see `xray.imaging.format.Format`.
        width: Width in pixels, as stored.
        height: Height in pixels, as stored.
        bits: Bits per channel, as stored.
        jpeg_quality: Estimated quality setting of a JPEG file, 1 to 100; 0 for other formats.
        note: How the file was read, for example with clipped outliers; usually "".
        thumbnail: (64, 64) uint8, the image averaged over areas.
    """

    sha256: str
    format: str
    width: int
    height: int
    bits: int
    jpeg_quality: int
    note: str
    thumbnail: NDArray[np.uint8]


def fingerprint(path: Path) -> Fingerprint:
    """Read a file and compute its fingerprint.

    Raises:
        ImageError: The file cannot be used, see `xray.imaging.read.load_image`.
    """
    loaded = load_image(path)
    thumbnail = cv2.resize(loaded.pixels, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    header = read_header(path)
    return Fingerprint(
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        format=header.format,
        width=header.width,
        height=header.height,
        bits=header.bits,
        jpeg_quality=header.jpeg_quality or 0,
        note=" ".join(loaded.notes),
        thumbnail=np.asarray(thumbnail, np.uint8),
    )
