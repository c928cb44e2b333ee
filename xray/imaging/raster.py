"""PNG and JPEG files: their headers and their pixels."""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL.Image import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile

from xray.errors import ImageError
from xray.imaging.format import REPLACE, Format
from xray.imaging.limits import check_frames, check_size

Grey = npt.NDArray[np.uint8]
Pixels = TypeVar("Pixels", npt.NDArray[np.uint8], npt.NDArray[np.uint16])

_BGRA = 4
_ORIENTATION_TAG = 0x0112
# The orientations that are undone by transposing, then by exchanging left and right, then top and
# bottom.
_TRANSPOSED = frozenset({5, 6, 7, 8})
_MIRRORED = frozenset({2, 3, 6, 7})
_FLIPPED = frozenset({3, 4, 7, 8})

# What Pillow's two decoders raise on damaged data; none of these names the file.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    cv2.error,
)


def open_raster(file: BinaryIO, kind: Format, path: Path, max_pixels: int) -> ImageFile:
    """Open a PNG or JPEG file by its header, without decoding its pixels.

    Raises:
        ImageError: The header is damaged, the image of a size that is refused, or one of several.
    """
    try:
        image = _open(file, kind)
    except _DECODER_ERRORS as error:
        raise _damaged(path, error) from error
    check_size(path, *image.size, max_pixels)
    check_frames(path, getattr(image, "n_frames", 1))
    return image


def read_raster(file: BinaryIO, kind: Format, path: Path, max_pixels: int) -> Grey:
    """Decode a PNG or JPEG file to greyscale, as `read_image` says.

    Returns:
        (H, W) uint8; maybe read-only.

    Raises:
        ImageError: As `open_raster`, or the pixels are damaged.
    """
    image = open_raster(file, kind, path, max_pixels)
    try:
        return _decode_png(image, file) if kind is Format.PNG else _decode_jpeg(image)
    except _DECODER_ERRORS as error:
        raise _damaged(path, error) from error


def to_8_bits(wide: npt.NDArray[np.uint16]) -> Grey:
    """Scale (H, W) from its lowest and highest value to 0..255, without clipping."""
    low, high = int(wide.min()), int(wide.max())
    scale = 255.0 / max(high - low, 1)
    scaled: Grey = np.rint((wide - np.uint16(low)) * np.float32(scale)).astype(np.uint8)
    return scaled


def _open(file: BinaryIO, kind: Format) -> ImageFile:
    # Not Image.open, which has a pixel cap of its own in a global variable.
    file.seek(0)
    return PngImageFile(file) if kind is Format.PNG else jpeg_factory(file)


def _decode_jpeg(image: ImageFile) -> Grey:
    # YCbCr holds the luminance as its first component: the decoder can leave the others out.
    image.draft("L", None)
    return _upright(np.asarray(image.convert("L")), image)


def _decode_png(image: ImageFile, file: BinaryIO) -> Grey:
    image.verify()
    image = _open(file, Format.PNG)
    is_wide = "16" in str(image.tile[0].args)
    image.load()
    if not is_wide:
        grey = _luminance(image)
    elif image.mode == "I;16":
        grey = to_8_bits(np.asarray(image))
    else:
        grey = to_8_bits(_wide_luminance(file))
    return _upright(grey, image)


def _luminance(image: Image) -> Grey:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return np.asarray(image.convert("L"))
    grey_alpha = np.asarray(image.convert("RGBA").convert("LA"))
    return _over_black(grey_alpha[..., 0], grey_alpha[..., 1]).astype(np.uint8)


def _wide_luminance(file: BinaryIO) -> npt.NDArray[np.uint16]:
    # Pillow would keep the upper 8 bits only of 16-bit colours.
    file.seek(0)
    colour = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if colour is None:
        raise OSError("libpng cannot decode it")
    grey = cv2.cvtColor(colour[..., :3], cv2.COLOR_BGR2GRAY).astype(np.uint16, copy=False)
    if colour.shape[2] != _BGRA:
        return grey
    return _over_black(grey, colour[..., 3].astype(np.uint16, copy=False))


def _over_black(grey: Pixels, alpha: Pixels) -> Pixels:
    if alpha.min() == alpha.max():
        return grey
    full = np.iinfo(grey.dtype).max
    return ((grey.astype(np.uint32) * alpha + full // 2) // full).astype(grey.dtype)


def _upright(pixels: Grey, image: Image) -> Grey:
    """Apply the EXIF orientation (1 to 8; TIFF 6.0, tag 274)."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DECODER_ERRORS:
        return pixels  # Damaged metadata beside sound pixels.
    if orientation in _TRANSPOSED:
        pixels = pixels.T
    if orientation in _MIRRORED:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in _FLIPPED else pixels


def _damaged(path: Path, error: Exception) -> ImageError:
    kind = "truncated" if "truncated" in str(error).lower() else "corrupted, or of a rare kind"
    return ImageError(path, f"is {kind} ({error})", REPLACE)
