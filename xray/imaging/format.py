"""What a file is, told from its first bytes."""

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

_CONVERT = "Convert it to PNG or JPEG, or remove it."
_REMOVE = "Remove it, or replace it with a PNG, JPEG or DICOM file."
_DOWNLOAD = "What was downloaded is a page, not the image: download it again, or remove it."
_PULL = "Fetch what it stands for with `git lfs pull`."
_UNPACK = "Unpack it, or remove it."

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_DICOM = b"DICM"
_PREAMBLE = 128
_HEAD_BYTES = _PREAMBLE + len(_DICOM)
# (offset, first bytes, name, next move) of what is often found among radiographs and is not read.
_OTHER_FORMATS = (
    (0, b"GIF8", "a GIF image", _CONVERT),
    (0, b"BM", "a BMP image", _CONVERT),
    (0, b"II*\x00", "a TIFF image", _CONVERT),
    (0, b"MM\x00*", "a TIFF image", _CONVERT),
    (8, b"WEBP", "a WebP image", _CONVERT),
    (4, b"jP  ", "a JPEG 2000 image", _CONVERT),
    (4, b"ftyp", "a HEIF or AVIF image", _CONVERT),
    (0, b"%PDF-", "a PDF document", _REMOVE),
    (0, b"\x93NUMPY", "a NumPy array", _REMOVE),
    (0, b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"version https://git-lfs", "a Git LFS pointer", _PULL),
)
# The same of text, which is compared without leading space and in lower case.
_TEXTS = (
    (b"<!doctype html", "an HTML page", _DOWNLOAD),
    (b"<html", "an HTML page", _DOWNLOAD),
    (b"<svg", "an SVG drawing", _CONVERT),
    (b"<?xml", "an XML document", _REMOVE),
)
_PRINTABLE = frozenset(string.printable.encode())


class Format(StrEnum):
    """The formats that are read."""

    PNG = "PNG"
    JPEG = "JPEG"
    DICOM = "DICOM"


SUFFIXES = {
    Format.PNG: frozenset({".png"}),
    Format.JPEG: frozenset({".jpg", ".jpeg"}),
    Format.DICOM: frozenset({".dcm", ".dicom"}),
}
"""How the files of a format are called."""


class _Quiet:
    """Silence decoders, which warn of odd metadata that say nothing of the pixels.

    `warnings.catch_warnings` is of one thread: here the first that enters silences, and the last
    that leaves restores.
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
    """Tell the format of a file; None where it is none that is read, or no file at all."""
    try:
        with open_image(path) as (_, kind):
            return kind
    except ImageError:
        return None


def is_dicom(path: Path) -> bool:
    """Tell whether a file is DICOM or is called so: its name and its content may tell a person."""
    return path.suffix.lower() in SUFFIXES[Format.DICOM] or sniff(path) is Format.DICOM


@contextmanager
def open_image(path: Path) -> Iterator[tuple[BinaryIO, Format]]:
    """Open an image file and tell its format, by its content and not by its suffix.

    A file that ends in .dcm or .dicom and looks like nothing else passes for DICOM: the oldest
    files have no preamble to know them by.

    Args:
        path: The file.

    Yields:
        The file, at an undefined position, and its format. Within, decoders keep their warnings to
        themselves, and an `OSError` becomes an `ImageError`.

    Raises:
        ImageError: The file is missing or unreadable, no regular file, empty, or of no format that
            is read.
    """
    try:
        _check_file(path)
        with path.open("rb") as file, _QUIET:
            yield file, _sniff(file.read(_HEAD_BYTES), path)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP} and path.is_symlink():
            raise ImageError(path, "is a link that leads nowhere", "Mend or remove it.") from error
        reason = f"cannot be opened ({error.strerror})"
        advice = "Check the path, and that you have the permission to read it."
        raise ImageError(path, reason, advice) from error


def refuse_content(path: Path) -> ImageError:
    """The error of a file that is of no known kind."""
    return ImageError(path, "is not an image that can be read", _REMOVE)


def _check_file(path: Path) -> None:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(path, "is a directory", "Name an image file in it.")
    # Opening a pipe would wait for its writer.
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(path, "is not a regular file", "Name an image file.")
    if status.st_size == 0:
        raise ImageError(path, "is empty (0 bytes)", REPLACE)


def _sniff(head: bytes, path: Path) -> Format:
    # First: a DICOM file may be a TIFF at the same time, by what its preamble holds.
    if head[_PREAMBLE:] == _DICOM:
        return Format.DICOM
    if head.startswith(_PNG):
        return Format.PNG
    if head.startswith(_JPEG):
        return Format.JPEG
    for offset, magic, name, advice in _OTHER_FORMATS:
        if head[offset:].startswith(magic):
            raise ImageError(path, f"is {name}, which is not read", advice)
    if _PRINTABLE.issuperset(head.removeprefix(b"\xef\xbb\xbf")):
        raise ImageError(path, *_describe_text(head.removeprefix(b"\xef\xbb\xbf")))
    if path.suffix.lower() in SUFFIXES[Format.DICOM]:
        return Format.DICOM
    raise refuse_content(path)


def _describe_text(head: bytes) -> tuple[str, str]:
    for start, name, advice in _TEXTS:
        if head.lstrip().lower().startswith(start):
            return f"is {name}, which is not read", advice
    return "is text, not an image", _REMOVE
