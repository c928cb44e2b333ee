"""Decode the stored values of a DICOM file and check them against the header."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xray.errors import ImageError
from xray.imaging.dicom_header import Layout, conceal_errors, no_pixel_data
from xray.imaging.format import REPLACE
from xray.imaging.jpeg import check_jpeg

if TYPE_CHECKING:
    from pydicom import Dataset

_DECODER = (
    "Convert it to explicit little endian (gdcmconv --raw), or install a decoder that pydicom "
    "finds: pip install -e '.[dicom]', or python-gdcm for lossless JPEG."
)
_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
_OVERLAY_POSITION = 0x0102
_JPEG_BITS = 8


class Stored(NamedTuple):
    """Stored values of an image.

    Attributes:
        values: (H, W) or (H, W, 3) integers of 8 or 16 bits; colors as RGB.
        padding: (H, W) bool, pixels without image content; None if there are none.
    """

    values: npt.NDArray[np.integer[Any]]
    padding: npt.NDArray[np.bool_] | None


def decode_stored(dataset: "Dataset", layout: Layout, path: Path) -> Stored:
    """Decode the pixel data of a parsed file.

    Raises:
        ImageError: There are no pixel data, no decoder for them, they are damaged, or they
            contradict the header.
    """
    from pydicom.pixels import pixel_array

    name = dataset.file_meta.TransferSyntaxUID.name
    with conceal_errors(path, f"has pixel data that are corrupted or of a rare kind: {name}"):
        _check_decodable(dataset, layout, path)
        _check_jpeg_stream(dataset, layout, path)
        decoded = pixel_array(dataset, index=0, correct_unused_bits=False)
        limits = _padding_limits(dataset, layout)
        overlays = _overlay_bits(dataset)
    words = decoded.astype(decoded.dtype.newbyteorder("="), copy=False)
    left = layout.allocated - 1 - layout.high_bit
    right = layout.allocated - layout.bits
    values = (words << left) >> right if right else words
    padding = _padding(words, values, limits)
    if left:
        used = words if padding is None else words[~padding]
        _check_unused_bits(used, layout, overlays, path)
    return Stored(values, padding)


def _check_decodable(dataset: "Dataset", layout: Layout, path: Path) -> None:
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    if "PixelData" not in dataset:
        # The header was followed by data, so that the pixel data must have been cut off.
        reason = "is truncated (its compressed pixel data have no end)"
        raise ImageError(path, reason, REPLACE) if syntax.is_encapsulated else no_pixel_data(path)
    try:
        is_known = get_decoder(syntax).is_available
    except NotImplementedError:
        is_known = False
    if not is_known:
        reason = f"is compressed in a way that is not read ({syntax.name})"
        raise ImageError(path, reason, _DECODER)
    size = layout.width * layout.height * layout.samples * layout.allocated // 8
    if layout.photometric == "YBR_FULL_422":
        size = size * 2 // 3
    if not syntax.is_encapsulated and len(dataset.PixelData) < size:
        reason = f"is truncated ({len(dataset.PixelData):,} of {size:,} bytes of pixel data)"
        raise ImageError(path, reason, REPLACE)


def _check_jpeg_stream(dataset: "Dataset", layout: Layout, path: Path) -> None:
    """Check a JPEG stream of 8 bits, whose damage Pillow does not report to pydicom."""
    from pydicom.encaps import get_frame
    from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in {JPEGBaseline8Bit, JPEGExtended12Bit} and layout.allocated == _JPEG_BITS:
        stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
        try:
            check_jpeg(stream, (layout.width, layout.height))
        except ValueError as error:
            raise ImageError(path, f"has a damaged JPEG stream ({error})", REPLACE) from error


def _padding_limits(dataset: "Dataset", layout: Layout) -> tuple[int, int] | None:
    """Read the lowest and highest padding value (PS3.3 C.7.5.1.1.2); None without padding."""
    if dataset.get("PixelPaddingValue") is None or layout.samples > 1:
        return None
    first = int(dataset.PixelPaddingValue)
    last = dataset.get("PixelPaddingRangeLimit")
    values = [first, first if last is None else int(last)]
    # The value may be written with the wrong sign: it has as many bits as a pixel.
    top = 1 << layout.allocated
    if dataset.get("PixelRepresentation"):
        values = [value - top if value >= top // 2 else value for value in values]
    else:
        values = [value % top for value in values]
    return min(values), max(values)


def _padding(
    words: npt.NDArray[np.integer[Any]],
    values: npt.NDArray[np.integer[Any]],
    limits: tuple[int, int] | None,
) -> npt.NDArray[np.bool_] | None:
    if limits is None:
        return None
    low, high = limits
    # Some devices write padding into all allocated bits, others into the stored ones.
    padding = np.asarray((values >= low) & (values <= high))
    if words is not values:
        padding |= (words >= low) & (words <= high)
    return padding if padding.any() else None


def _overlay_bits(dataset: "Dataset") -> int:
    """Return a mask of the bits that overlays are declared to use (PS3.3 C.9.2)."""
    positions = (dataset.get((group, _OVERLAY_POSITION)) for group in _OVERLAY_GROUPS)
    return sum({1 << int(position.value or 0) for position in positions if position is not None})


def _check_unused_bits(
    words: npt.NDArray[np.integer[Any]], layout: Layout, overlays: int, path: Path
) -> None:
    """Check that the bits above the stored ones are zero, the sign, or declared overlays.

    Raises:
        ImageError: They hold something else, so that fewer bits are declared than are used.
    """
    bits = words.dtype.itemsize * 8
    above = ((1 << bits) - (2 << layout.high_bit)) & ~overlays
    unsigned = words.view(f"u{words.dtype.itemsize}")
    extra = unsigned & above
    is_wrong = extra != 0
    if words.dtype.kind == "i":
        is_negative = (unsigned >> layout.high_bit & 1).astype(bool)
        is_wrong &= ~(is_negative & (extra == above))
    if is_wrong.any():
        largest = int(words[is_wrong].max())
        reason = f"declares {layout.bits} stored bits, but pixels use more (values up to {largest})"
        advice = "Correct BitsStored and HighBit, or declare the overlay in the upper bits."
        raise ImageError(path, reason, advice)
