"""DICOM files up to their pixel data."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from xray.errors import ImageError
from xray.imaging.format import REPLACE, unknown_content
from xray.imaging.limits import check_frames, check_size

if TYPE_CHECKING:
    from pydicom import Dataset

COLOR_SAMPLES = 3
"""Samples per pixel of a color image."""

_CONVERT = "Convert it to PNG, or remove it."
_DAMAGED = "is truncated or corrupted in its DICOM header"
_ALLOCATED = frozenset({8, 16})
# Samples per pixel by photometric interpretation (PS3.3 C.7.6.3.1.2).
_SAMPLES = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": COLOR_SAMPLES,
    "YBR_FULL": COLOR_SAMPLES,
    "YBR_FULL_422": COLOR_SAMPLES,
    "YBR_PARTIAL_420": COLOR_SAMPLES,
    "YBR_ICT": COLOR_SAMPLES,
    "YBR_RCT": COLOR_SAMPLES,
}


@dataclass(frozen=True)
class Layout:
    """How the pixels of a DICOM image are stored.

    Attributes:
        width: Columns.
        height: Rows.
        samples: Samples per pixel, 1 or 3.
        allocated: Bits allocated for each sample, 8 or 16.
        bits: Bits stored of them.
        high_bit: Position of the highest stored bit, from 0.
        photometric: Photometric interpretation in upper case, for example "MONOCHROME1".
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
        ImageError: pydicom is not installed; the file is not DICOM, contains no single image of 8
            to 16 bits, contradicts itself, or has a size out of range.
    """
    dataset = parse(file, path, pixels=False)
    if "SOPClassUID" not in dataset and "Rows" not in dataset:
        raise no_pixel_data(path) if dataset.preamble else unknown_content(path)
    if not dataset.file_meta.TransferSyntaxUID.is_transfer_syntax:
        raise ImageError(path, "is compressed in an unknown way (its transfer syntax)", _CONVERT)
    layout = _read_layout(dataset, path)
    check_size(path, layout.width, layout.height, max_pixels)
    # The parser stops inside the pixel data element, or at the end of a file without pixel data. A
    # deflated file is always read to its end.
    is_deflated = dataset.file_meta.TransferSyntaxUID.is_deflated
    if not is_deflated and not file.read(1):
        raise no_pixel_data(path)
    return layout


def parse(file: BinaryIO, path: Path, *, pixels: bool) -> "Dataset":
    """Parse a DICOM file.

    Args:
        file: The open file.
        path: Its path, for messages.
        pixels: Read the pixel data too.

    Returns:
        The dataset, always with a transfer syntax. It is empty if compressed pixel data have no
        end.

    Raises:
        ImageError: pydicom is not installed, or the file is damaged.
    """
    try:
        from pydicom import dcmread
    except ImportError as error:
        advice = "Install the DICOM support: pip install -e '.[dicom]'"
        raise ImageError(path, "is a DICOM file, and pydicom is not installed", advice) from error
    # pydicom logs invalid values, which may be names and dates, into the log of a run.
    logging.getLogger("pydicom").disabled = True
    file.seek(0)
    with conceal_errors(path, _DAMAGED):
        dataset = dcmread(file, force=True, stop_before_pixels=not pixels)
        _complete_syntax(dataset)
    return dataset


@contextmanager
def conceal_errors(path: Path, reason: str) -> Iterator[None]:
    """Convert every error of pydicom into one that does not quote the file.

    For damaged files pydicom raises errors of any type, often only when a value is accessed. Their
    text may contain a name or a date of birth, so neither the text nor the cause is kept.

    Raises:
        ImageError: With the given reason and the type of the error.
    """
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(path, f"{reason} ({type(error).__name__})", REPLACE) from None


def no_pixel_data(path: Path) -> ImageError:
    """Return the error for a DICOM file without an image, such as a report or a directory."""
    return ImageError(path, "is a DICOM file without pixel data", "Remove it.")


def _complete_syntax(dataset: "Dataset") -> None:
    """Set a missing transfer syntax to the one with which the file was parsed."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" in dataset.file_meta:
        return
    implicit, little = dataset.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _read_layout(dataset: "Dataset", path: Path) -> Layout:
    if "Rows" not in dataset or "Columns" not in dataset:
        raise no_pixel_data(path)
    with conceal_errors(path, _DAMAGED):
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
    _check_layout(layout, path)
    return layout


def _check_layout(layout: Layout, path: Path) -> None:
    allocated, bits, samples = layout.allocated, layout.bits, layout.samples
    if allocated not in _ALLOCATED:
        reason = f"stores {allocated} bits per sample; 8 and 16 are read"
        raise ImageError(path, reason, _CONVERT)
    if not 0 < bits <= layout.high_bit + 1 <= allocated:
        reason = f"declares {bits} of {allocated} bits, up to bit {layout.high_bit}"
        raise ImageError(path, f"contradicts itself: it {reason}", REPLACE)
    if samples not in {1, COLOR_SAMPLES}:
        reason = f"stores {samples} samples per pixel; 1 and 3 are read"
        raise ImageError(path, reason, _CONVERT)
    if samples != _SAMPLES.get(layout.photometric, samples):
        reason = f"declares {samples} samples per pixel and {layout.photometric}"
        raise ImageError(path, f"contradicts itself: it {reason}", REPLACE)
