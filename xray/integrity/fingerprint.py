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

_DCT_SIDE = 32
_HASH_SIDE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What an image file is known by.

    Attributes:
        sha256: Of the file's bytes, 64 hex digits.
        phash: 64-bit perceptual hash, see `perceptual_hash`.
        format: By its content: "PNG", "JPEG" or "DICOM".
        width: Pixels, as stored.
        height: Pixels, as stored.
        bits: Of one sample, as stored.
        jpeg_quality: 1 to 100, estimated from the quantisation tables; 0 where it is no JPEG.
        thumbnail: (64, 64) uint8, the whole image averaged over areas.
    """

    sha256: str
    phash: int
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
        phash=perceptual_hash(image),
        format=header.format,
        width=header.width,
        height=header.height,
        bits=header.bits,
        jpeg_quality=header.jpeg_quality or 0,
        thumbnail=np.asarray(thumbnail, np.uint8),
    )


def perceptual_hash(image: NDArray[np.uint8]) -> int:
    """Hash the looks of an image: like images have hashes that differ in few bits.

    The 8 x 8 lowest frequencies of a 32 x 32 discrete cosine transform, each one bit: above the
    median of all but the first, or not (Zauner 2010, "Implementation and benchmarking of
    perceptual image hash functions", section 3.2.1).

    Args:
        image: (H, W) uint8.

    Returns:
        64 bits, row by row from the highest.
    """
    small = cv2.resize(image, (_DCT_SIDE, _DCT_SIDE), interpolation=cv2.INTER_AREA)
    lowest = cv2.dct(small.astype(np.float32))[:_HASH_SIDE, :_HASH_SIDE].ravel()
    bits = lowest > np.median(lowest[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
