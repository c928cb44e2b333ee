"""Detect the format of a file from its first bytes."""

import errno
import stat
import string
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from xray.errors import ImageError

REPLACE = "Replace it with an intact copy, or remove it."
CONVERT = "Convert it to PNG or JPEG, or remove it."

_REMOVE = "Remove it, or replace it with a PNG, JPEG, BMP, TIFF, WebP or DICOM file."
_DOWNLOAD = "The download returned a web page instead of the image: download it again."
_PULL = "Download the image with `git lfs pull`."
_UNPACK = "Unpack it, or remove it."

_PREAMBLE = 128
_DICOM = b"DICM"
_HEAD_BYTES = _PREAMBLE + len(_DICOM)
_BMP_HEADER_SIZES = frozenset({12, 40, 52, 56, 64, 108, 124})
# (offset, first bytes, name, advice) of formats that are often found in image folders but not read.
_OTHER_FORMATS = (
    (0, b"GIF8", "a GIF image", CONVERT),
    (0, b"II+\x00", "a BigTIFF image", CONVERT),
    (0, b"MM\x00+", "a BigTIFF image", CONVERT),
    (4, b"jP  ", "a JPEG 2000 image", CONVERT),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image", CONVERT),
    (4, b"ftyp", "a HEIF or AVIF image", CONVERT),
    (0, b"%PDF-", "a PDF document", _REMOVE),
    (0, b"\x93NUMPY", "a NumPy array", _REMOVE),
    (0, b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"version https://git-lfs", "a Git LFS pointer", _PULL),
)
# The same for text files, compared in lower case and without leading white space.
_TEXTS = (
    (b"<!doctype html", "an HTML page", _DOWNLOAD),
    (b"<html", "an HTML page", _DOWNLOAD),
    (b"<svg", "an SVG drawing", CONVERT),
    (b"<?xml", "an XML document", _REMOVE),
)
_PRINTABLE = frozenset(string.printable.encode())


class Format(StrEnum):
    """The formats that can be read."""

    PNG = "PNG"
    JPEG = "JPEG"
    BMP = "BMP"
    TIFF = "TIFF"
    WEBP = "WebP"
    DICOM = "DICOM"


SUFFIXES = {
    Format.PNG: frozenset({".png"}),
    Format.JPEG: frozenset({".jpg", ".jpeg", ".jfif"}),
    Format.BMP: frozenset({".bmp"}),
    Format.TIFF: frozenset({".tif", ".tiff"}),
    Format.WEBP: frozenset({".webp"}),
    Format.DICOM: frozenset({".dcm", ".dicom"}),
}
"""File name endings of each format, in lower case."""

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"\xff\xd8\xff", Format.JPEG),
    (b"II*\x00", Format.TIFF),
    (b"MM\x00*", Format.TIFF),
)


class _Quiet:
    """Context manager that silences decoder warnings about unusual metadata.

    `warnings.catch_warnings` is not thread-safe. Here the first thread that enters silences the
    warnings, and the last one that leaves restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._within == 0:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")
            self._within += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._within -= 1
            if self._within == 0:
                self._caught.__exit__(None, None, None)


_QUIET = _Quiet()


def sniff(path: Path) -> Format | None:
    """Detect the format of a file; None for a format that is not read and for missing files."""
    try:
        with open_image(path) as (_, kind):
            return kind
    except ImageError:
        return None


def is_dicom(path: Path) -> bool:
    """Check whether a file is DICOM by its ending or content, so that it may name a patient."""
    return path.suffix.lower() in SUFFIXES[Format.DICOM] or sniff(path) is Format.DICOM


@contextmanager
def open_image(path: Path) -> Iterator[tuple[BinaryIO, Format]]:
    """Open a file and detect its format from its content.

    A DICOM file without a preamble has no signature; there the ending decides.

    Args:
        path: The file.

    Yields:
        The open file, at an undefined position, and its format. Inside the context, decoder
        warnings are silenced and an `OSError` becomes an `ImageError`.

    Raises:
        ImageError: The file is missing, unreadable, not a regular file, empty, or of a format that
            is not read.
    """
    try:
        _check_file(path)
        with path.open("rb") as file, _QUIET:
            yield file, _detect(file.read(_HEAD_BYTES), path)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP} and path.is_symlink():
            raise ImageError(path, "is a broken link", "Repair or remove the link.") from error
        reason = f"cannot be opened ({error.strerror})"
        advice = "Check the path and your permission to read the file."
        raise ImageError(path, reason, advice) from error


def unknown_content(path: Path) -> ImageError:
    """Return the error for a file of unknown format."""
    return ImageError(path, "is not an image that can be read", _REMOVE)


def _check_file(path: Path) -> None:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(path, "is a directory", "Pass the path of an image file.")
    # Opening a pipe would block until something writes to it.
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(path, "is not a regular file", "Pass the path of an image file.")
    if status.st_size == 0:
        raise ImageError(path, "is empty (0 bytes)", REPLACE)


def _detect(head: bytes, path: Path) -> Format:
    kind = _signature(head)
    if kind:
        return kind
    for offset, magic, name, advice in _OTHER_FORMATS:
        if head[offset:].startswith(magic):
            raise ImageError(path, f"is {name}, which is not read", advice)
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _PRINTABLE.issuperset(text):
        raise ImageError(path, *_describe_text(text))
    if path.suffix.lower() in SUFFIXES[Format.DICOM]:
        return Format.DICOM
    raise unknown_content(path)


def _signature(head: bytes) -> Format | None:
    # DICOM first: the preamble of a DICOM file may contain the header of another format.
    if head[_PREAMBLE:] == _DICOM:
        return Format.DICOM
    for magic, kind in _SIGNATURES:
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Format.WEBP
    # "BM" alone may begin a text.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return Format.BMP
    return None


def _describe_text(head: bytes) -> tuple[str, str]:
    for start, name, advice in _TEXTS:
        if head.lstrip().lower().startswith(start):
            return f"is {name}, which is not read", advice
    return "is text, not an image", _REMOVE
