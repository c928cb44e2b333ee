"""Open and decode PNG, JPEG, BMP, TIFF and WebP files."""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
from PIL.Image import DecompressionBombError, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile

from xray.errors import ImageError
from xray.imaging.bmp import open_bmp
from xray.imaging.color import color_share, color_share_of, luminance
from xray.imaging.format import REPLACE, Format
from xray.imaging.jpeg import decode_jpeg
from xray.imaging.limits import check_frames, check_size
from xray.imaging.png import check_chunks, wide_luminance, wide_pixels
from xray.imaging.scale import Gray, to_8_bits
from xray.imaging.tiff import is_wide, open_tiff, wide_gray
from xray.imaging.webp import open_webp

_ORIENTATION_TAG = 0x0112
# EXIF orientations that are undone by a transposition, a horizontal flip and a vertical flip, in
# this order.
_TRANSPOSED = frozenset({5, 6, 7, 8})
_MIRRORED = frozenset({2, 3, 6, 7})
_FLIPPED = frozenset({3, 4, 7, 8})
# Scale at which the colors of a JPEG file are examined.
_COLOR_SCALE = 8

# What the decoders raise for damaged data. None of these errors names the file.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    cv2.error,
    DecompressionBombError,
)


class Raster(NamedTuple):
    """A decoded image.

    Attributes:
        pixels: (H, W) uint8, possibly read-only.
        note: Sentence about clipped outliers or unchecked data, or "".
        color: Share of colored pixels, see `color_share`; 0 unless it was requested.
    """

    pixels: Gray
    note: str = ""
    color: float = 0.0


def open_raster(file: BinaryIO, kind: Format, path: Path, max_pixels: int) -> ImageFile:
    """Open an image file by its header, without decoding its pixels.

    Raises:
        ImageError: The header is damaged, the size is out of range, the file contains several
            images, or it is of a kind that is not read.
    """
    try:
        image = _open(file, kind, path, max_pixels)
    except ImageError:
        raise
    except _DECODER_ERRORS as error:
        raise _damaged(path, error) from error
    check_size(path, *image.size, max_pixels)
    check_frames(path, getattr(image, "n_frames", 1))
    return image


def read_raster(
    file: BinaryIO, kind: Format, path: Path, max_pixels: int, *, color: bool = False
) -> Raster:
    """Decode an image file to grayscale, as described in `xray.imaging.read.load_image`.

    Args:
        file: The open file.
        kind: Its format, not DICOM.
        path: Its path, for messages.
        max_pixels: Largest allowed width x height.
        color: Also compute the share of colored pixels.

    Raises:
        ImageError: As `open_raster`, or the pixels are damaged.
    """
    image = open_raster(file, kind, path, max_pixels)
    try:
        return _decode(image, file, kind, color)
    except _DECODER_ERRORS as error:
        raise _damaged(path, error) from error


def _open(file: BinaryIO, kind: Format, path: Path, max_pixels: int) -> ImageFile:
    # Not Image.open, whose limit of pixels is a global variable.
    file.seek(0)
    match kind:
        case Format.PNG:
            return PngImageFile(file)
        case Format.BMP:
            return open_bmp(file, path)
        case Format.TIFF:
            return open_tiff(file, path, max_pixels)
        case Format.WEBP:
            return open_webp(file, path, max_pixels)
        case _:
            return jpeg_factory(file)


def _decode(image: ImageFile, file: BinaryIO, kind: Format, color: bool) -> Raster:
    match kind:
        case Format.JPEG:
            return _decode_jpeg(image, file, color)
        case Format.PNG:
            return _decode_png(image, file, color)
        case Format.TIFF:
            return _decode_tiff(image, color)
        case _:
            return _decode_8_bits(image, color)


def _decode_jpeg(image: ImageFile, file: BinaryIO, color: bool) -> Raster:
    file.seek(0)
    content = file.read()
    luminances, note = decode_jpeg(content, image)
    pixels = _upright(luminances, image)
    if not color or image.mode == "L":
        return Raster(pixels, note)
    file.seek(0)
    small = jpeg_factory(file)
    small.draft("RGB", (image.width // _COLOR_SCALE, image.height // _COLOR_SCALE))
    return Raster(pixels, note, color_share_of(small))


def _decode_png(image: ImageFile, file: BinaryIO, color: bool) -> Raster:
    check_chunks(file)
    image.verify()
    file.seek(0)
    image = PngImageFile(file)
    has_16_bits = "16" in str(image.tile[0].args)
    image.load()
    if not has_16_bits:
        return _decode_8_bits(image, color)
    if image.mode == "I;16":
        pixels, note = to_8_bits(np.asarray(image))
        return Raster(_upright(pixels, image), note)
    colors = wide_pixels(file)
    pixels, note = to_8_bits(wide_luminance(colors))
    share = color_share((colors[..., :3] >> 8).astype(np.uint8)) if color else 0.0
    return Raster(_upright(pixels, image), note, share)


def _decode_tiff(image: ImageFile, color: bool) -> Raster:
    # Pillow applies the orientation of TIFF files itself.
    if not is_wide(image):
        return Raster(luminance(image), color=color_share_of(image) if color else 0.0)
    image.load()
    return Raster(*to_8_bits(wide_gray(image)))


def _decode_8_bits(image: ImageFile, color: bool) -> Raster:
    share = color_share_of(image) if color else 0.0
    return Raster(_upright(luminance(image), image), color=share)


def _upright(pixels: Gray, image: Image) -> Gray:
    """Apply the EXIF orientation (1 to 8; TIFF 6.0, tag 274)."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DECODER_ERRORS:
        return pixels  # The metadata are damaged, the pixels are not.
    if orientation in _TRANSPOSED:
        pixels = pixels.T
    if orientation in _MIRRORED:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in _FLIPPED else pixels


def _damaged(path: Path, error: Exception) -> ImageError:
    is_short = any(word in str(error).lower() for word in ("truncated", "premature end"))
    kind = "truncated" if is_short else "corrupted or of a rare kind"
    return ImageError(path, f"is {kind} ({error})", REPLACE)
