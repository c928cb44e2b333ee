"""A DICOM file up to its pixels."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from xray.errors import ImageError
from xray.imaging.format import REPLACE, refuse_content
from xray.imaging.limits import check_frames, check_size

if TYPE_CHECKING:
    from pydicom import Dataset

COLOUR_SAMPLES = 3

_CONVERT = "Convert it to PNG, or remove it."
_DAMAGED = "is truncated or corrupted in its DICOM header"
_ALLOCATED = frozenset({8, 16})


@dataclass(frozen=True)
class Layout:
    """How the pixels of a DICOM image are stored.

    Attributes:
        width: Columns.
        height: Rows.
        samples: Values a pixel, 1 or 3.
        allocated: Bits that a value takes, 8 or 16.
        bits: Bits of these that are used.
        high_bit: The highest of the used bits, counted from 0.
        photometric: The photometric interpretation, in capitals ("MONOCHROME1").
    """

    width: int
    height: int
    samples: int
    allocated: int
    bits: int
    high_bit: int
    photometric: str


def read_dicom_header(file: BinaryIO, path: Path, max_pixels: int) -> Layout:
    """Read how the pixels are stored, without reading them.

    Raises:
        ImageError: pydicom is not installed, the file is not DICOM, holds no still image of 8 to 16
            bits, or one of a size that is refused.
    """
    dataset = parse(file, path, pixels=False)
    if "SOPClassUID" not in dataset and "Rows" not in dataset:
        raise without_pixels(path) if dataset.preamble else refuse_content(path)
    if not dataset.file_meta.TransferSyntaxUID.is_transfer_syntax:
        raise ImageError(path, "is compressed in an unknown way (its transfer syntax)", _CONVERT)
    layout = _read_layout(dataset, path)
    check_size(path, layout.width, layout.height, max_pixels)
    # Parsing stops within the element of the pixels, or at the end of a file that has none. A
    # deflated file is inflated at once, and so always at its end.
    is_deflated = dataset.file_meta.TransferSyntaxUID.is_deflated
    if not is_deflated and not file.read(1):
        raise without_pixels(path)
    return layout


def parse(file: BinaryIO, path: Path, *, pixels: bool) -> "Dataset":
    """Parse a DICOM file, with its pixel data or up to there.

    Returns:
        What is in the file, with a transfer syntax even where the file names none; nothing of it
        if compressed pixel data have no end.

    Raises:
        ImageError: pydicom is not installed, or the file is damaged.
    """
    try:
        from pydicom import dcmread
    except ImportError as error:
        advice = "Install what reads it: pip install -e '.[dicom]'"
        raise ImageError(path, "is a DICOM file, and pydicom is not installed", advice) from error
    # It logs values that are odd, and so names and dates, into the log of a run.
    logging.getLogger("pydicom").disabled = True
    file.seek(0)
    with discreet(path, _DAMAGED):
        dataset = dcmread(file, force=True, stop_before_pixels=not pixels)
        _complete_syntax(dataset)
    return dataset


@contextmanager
def discreet(path: Path, reason: str) -> Iterator[None]:
    """Turn whatever pydicom raises into an error that does not quote the file.

    On damaged bytes it raises anything, and not before a value is asked for. The text of its
    errors may hold a name or a date of birth, so neither that nor the cause is kept.

    Raises:
        ImageError: For the given reason, with the type of the error.
    """
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(path, f"{reason} ({type(error).__name__})", REPLACE) from None


def without_pixels(path: Path) -> ImageError:
    """The error of a DICOM file that is a report, a directory, or a mere header."""
    return ImageError(path, "is a DICOM file without pixel data", "Remove it.")


def _complete_syntax(dataset: "Dataset") -> None:
    """Name the transfer syntax by how the file was parsed, where the file does not."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" in dataset.file_meta:
        return
    implicit, little = dataset.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _read_layout(dataset: "Dataset", path: Path) -> Layout:
    if "Rows" not in dataset or "Columns" not in dataset:
        raise without_pixels(path)
    with discreet(path, _DAMAGED):
        bits = int(dataset.BitsStored)
        layout = Layout(
            width=int(dataset.Columns),
            height=int(dataset.Rows),
            samples=int(dataset.get("SamplesPerPixel", 1)),
            allocated=int(dataset.BitsAllocated),
            bits=bits,
            high_bit=int(dataset.get("HighBit", bits - 1)),
            photometric=str(dataset.PhotometricInterpretation).strip().upper(),
        )
        frames = int(dataset.get("NumberOfFrames") or 1)
    check_frames(path, frames)
    if layout.allocated not in _ALLOCATED:
        reason = f"stores {layout.allocated} bits a value; 8 and 16 are read"
        raise ImageError(path, reason, _CONVERT)
    if not 0 < layout.bits <= layout.high_bit + 1 <= layout.allocated:
        reason = f"claims to use {layout.bits} bits of {layout.allocated}, up to {layout.high_bit}"
        raise ImageError(path, reason, REPLACE)
    if layout.samples not in {1, COLOUR_SAMPLES}:
        raise ImageError(
            path, f"stores {layout.samples} values a pixel; 1 and 3 are read", _CONVERT
        )
    return layout
