"""The one way an image file becomes an array."""

import stat
import struct
import warnings
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

Grey = npt.NDArray[np.uint8]
Pixels = TypeVar("Pixels", npt.NDArray[np.uint8], npt.NDArray[np.uint16])

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
MIN_SIDE = 32
MAX_PIXELS = 100_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_HEAD_BYTES = 132
# (offset, first bytes, name) of what is often found among radiographs and is not read.
_OTHER_FORMATS = (
    (0, b"GIF8", "a GIF image"),
    (0, b"BM", "a BMP image"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (8, b"WEBP", "a WebP image"),
    (4, b"jP  ", "a JPEG 2000 image"),
    (4, b"ftyp", "a HEIF or AVIF image"),
    (128, b"DICM", "a DICOM file"),
)
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

_REPLACE = "Replace it with an intact copy, or remove it."
_CONVERT = "Convert it to PNG or JPEG, or remove it."


def read_image(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> Grey:
    """Read a JPEG or PNG file as a greyscale image.

    The content decides the format, not the suffix. Colours, palettes and CMYK become luminance
    (ITU-R BT.601); EXIF orientation is applied. 16 bits are scaled from the file's own lowest and
    highest value to 0..255, without clipping; 8 bits and fewer keep their scale (0..full scale).
    An alpha channel of one value is ignored, as it shows nothing; any other one is composited over
    black, the ground on which radiographs are viewed.

    A PNG is checked against its checksums. JPEG has none: damage that leaves a decodable stream
    goes unnoticed.

    Args:
        path: The file.
        max_pixels: Largest width x height; checked in the header, before anything is decoded.

    Returns:
        (H, W) uint8, C-contiguous, writable, in [0, 255].

    Raises:
        ImageError: The file is missing or unreadable, no still JPEG or PNG image, damaged, larger
            than `max_pixels`, smaller than 32 pixels on a side, or of one value throughout.
    """
    path = Path(path)
    try:
        _check_file(path)
        # Decoders warn of odd metadata, which say nothing of the pixels.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = _read(file, path, max_pixels)
    except OSError as error:
        reason = f"cannot be opened ({error.strerror})"
        advice = "Check the path, and that you have the permission to read it."
        raise ImageError(path, reason, advice) from error
    if pixels.min() == pixels.max():
        raise ImageError(path, "is blank: all its pixels have one value", _REPLACE)
    # Pillow's arrays are read-only, which torch.from_numpy does not take.
    return np.require(pixels, requirements=["C_CONTIGUOUS", "WRITEABLE"])


def _check_file(path: Path) -> None:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(path, "is a directory", "Name a PNG or JPEG file in it.")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(path, "is not a regular file", "Name a PNG or JPEG file.")
    if status.st_size == 0:
        raise ImageError(path, "is empty (0 bytes)", _REPLACE)


def _read(file: BinaryIO, path: Path, max_pixels: int) -> Grey:
    head = file.read(_HEAD_BYTES)
    if not head.startswith((_PNG, _JPEG)):
        raise ImageError(path, *_describe_other(head))
    is_png = head.startswith(_PNG)
    try:
        image = _open(file, is_png=is_png)
    except _DECODER_ERRORS as error:
        raise _damaged(path, error) from error
    _check_header(image, path, max_pixels)
    try:
        return _decode_png(image, file) if is_png else _decode_jpeg(image)
    except _DECODER_ERRORS as error:
        raise _damaged(path, error) from error


def _open(file: BinaryIO, *, is_png: bool) -> ImageFile:
    # Not Image.open, which has a pixel cap of its own in a global variable.
    file.seek(0)
    return PngImageFile(file) if is_png else jpeg_factory(file)


def _check_header(image: ImageFile, path: Path, max_pixels: int) -> None:
    width, height = image.size
    size = f"{width} x {height} pixels"
    if width * height > max_pixels:
        advice = "Downsample it, or raise max_pixels if the file is to be trusted."
        raise ImageError(path, f"has {size}, more than the {max_pixels:,} allowed", advice)
    if min(width, height) < MIN_SIDE:
        advice = "Replace it with the full-size image, or remove it."
        raise ImageError(path, f"has {size}, fewer than {MIN_SIDE} on a side", advice)
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        advice = "Save the frame that you mean as a still PNG or JPEG."
        raise ImageError(path, f"is animated or holds several images ({frames})", advice)


def _decode_jpeg(image: ImageFile) -> Grey:
    # YCbCr holds the luminance as its first component: the decoder can leave the others out.
    image.draft("L", None)
    return _upright(np.asarray(image.convert("L")), image)


def _decode_png(image: ImageFile, file: BinaryIO) -> Grey:
    image.verify()
    image = _open(file, is_png=True)
    is_wide = "16" in str(image.tile[0].args)
    image.load()
    if not is_wide:
        grey = _luminance(image)
    elif image.mode == "I;16":
        grey = _to_8_bits(np.asarray(image))
    else:
        grey = _to_8_bits(_wide_luminance(file))
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


def _to_8_bits(wide: npt.NDArray[np.uint16]) -> Grey:
    low, high = int(wide.min()), int(wide.max())
    scale = 255.0 / max(high - low, 1)
    scaled: Grey = np.rint((wide - np.uint16(low)) * np.float32(scale)).astype(np.uint8)
    return scaled


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


def _describe_other(head: bytes) -> tuple[str, str]:
    for offset, magic, name in _OTHER_FORMATS:
        if head[offset:].startswith(magic):
            return f"is {name}, which is not read", _CONVERT
    return "is not an image that can be read", "Remove it, or replace it with a PNG or JPEG file."


def _damaged(path: Path, error: Exception) -> ImageError:
    kind = "truncated" if "truncated" in str(error).lower() else "corrupted, or of a rare kind"
    return ImageError(path, f"is {kind} ({error})", _REPLACE)
