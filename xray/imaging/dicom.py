"""Convert DICOM files to what a viewer shows.

The steps are those of DICOM PS3.4 N.2: stored bits, modality lookup table or rescaling, VOI lookup
table or window (the first of several), inversion. Bright always means dense.

- Without a window, or with one of invalid width, the lowest and highest value of the image become 0
  and 255; outliers are clipped as in `xray.imaging.scale.find_span`.
- Padding (PixelPaddingValue, PixelPaddingRangeLimit) is excluded from this range and shown black.
- PresentationLUTShape decides about the inversion where it is IDENTITY or INVERSE; otherwise
  MONOCHROME1 is inverted. DCMTK and Weasis follow the same rule.

pydicom and its decoders are an optional dependency and are imported when they are needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np
import numpy.typing as npt

from xray.errors import ImageError
from xray.imaging.color import color_share
from xray.imaging.dicom_header import (
    COLOR_SAMPLES,
    Layout,
    conceal_errors,
    parse,
    read_dicom_header,
)
from xray.imaging.dicom_pixels import Stored, decode_stored
from xray.imaging.format import REPLACE
from xray.imaging.raster import Raster
from xray.imaging.scale import Gray, Span, find_span, to_8_bits

if TYPE_CHECKING:
    from pydicom import Dataset

_MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2"})
# Whether a PresentationLUTShape inverts the image.
_SHAPES = {"INVERSE": True, "IDENTITY": False}


def read_dicom(file: BinaryIO, path: Path, max_pixels: int, *, color: bool = False) -> Raster:
    """Decode a DICOM file of one frame to grayscale.

    Args:
        file: The open file.
        path: Its path, for messages.
        max_pixels: Largest allowed Columns x Rows.
        color: Also compute the share of colored pixels.

    Raises:
        ImageError: pydicom is not installed; there is no image, or one of a size, kind or transfer
            syntax that is not read; it is damaged, contradicts its header, or is blank within its
            window.
    """
    layout = read_dicom_header(file, path, max_pixels)
    dataset = parse(file, path, pixels=True)
    stored = decode_stored(dataset, layout, path)
    with conceal_errors(path, "has an invalid lookup table or window"):
        if layout.photometric in _MONOCHROME:
            return _render(stored, dataset, layout, path)
        return _luminance(stored, dataset, layout, color)


def _render(stored: Stored, dataset: "Dataset", layout: Layout, path: Path) -> Raster:
    """Map stored values (H, W) to gray values by a table of all values that may occur."""
    low, high = int(stored.values.min()), int(stored.values.max())
    positions = stored.values.astype(np.int32) - low
    shown = positions.ravel() if stored.padding is None else positions[~stored.padding]
    counts = np.bincount(shown, minlength=high - low + 1)
    if not counts.any():
        raise ImageError(path, "contains only padding (PixelPaddingValue)", REPLACE)
    table, span = _display_table(low, high, counts, dataset)
    scaled = (table.astype(np.float64) - span.low) * 255 / max(span.high - span.low, 1e-12)
    # Values outside the span are outliers, or do not occur.
    grays: Gray = np.rint(scaled).clip(0, 255).astype(np.uint8)
    occurring = grays[counts > 0]
    if occurring.min() == occurring.max():
        several = len(occurring) > 1
        reason = "its window (VOI LUT) shows" if several else "there is"
        advice = "Correct its window, or remove it." if several else REPLACE
        raise ImageError(path, f"is blank: {reason} one value for all pixels", advice)
    pixels = (255 - grays if _is_inverted(dataset, layout) else grays)[positions]
    if stored.padding is not None:
        pixels[stored.padding] = 0
    return Raster(pixels, span.note)


def _is_inverted(dataset: "Dataset", layout: Layout) -> bool:
    shape = str(dataset.get("PresentationLUTShape") or "").strip().upper()
    return _SHAPES.get(shape, layout.photometric == "MONOCHROME1")


def _display_table(
    low: int, high: int, counts: npt.NDArray[np.int64], dataset: "Dataset"
) -> tuple[npt.NDArray[Any], Span]:
    """Compute the displayed value of each stored value from `low` to `high`, and their range."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    values = apply_modality_lut(np.arange(low, high + 1), dataset)
    if _prepare_lut(dataset):
        table = apply_voi_lut(np.rint(values).astype(np.int64), dataset)
        return table, _lut_span(dataset)
    if _prepare_window(dataset):
        return apply_voi_lut(values, dataset), Span(0, 255)
    occurring = counts > 0
    distinct, inverse = np.unique(values[occurring], return_inverse=True)
    pixels = np.bincount(inverse, weights=counts[occurring]).astype(np.int64)
    return values, find_span(distinct.astype(np.float64), pixels)


def _prepare_lut(dataset: "Dataset") -> bool:
    """Check whether there is a VOI lookup table, and prepare it for pydicom."""
    if not dataset.get("VOILUTSequence"):
        return False
    item = dataset.VOILUTSequence[0]
    entries, first, _ = item.LUTDescriptor
    # For a table of 8-bit entries, pydicom would also limit the indices to 8 bits.
    item.LUTDescriptor = [entries, first, 16]
    return True


def _lut_span(dataset: "Dataset") -> Span:
    # The lowest and highest entry of the table: many files declare more bits than they use.
    from pydicom.pixels import apply_voi_lut

    entries, first, _ = dataset.VOILUTSequence[0].LUTDescriptor
    table = apply_voi_lut(np.arange(first, first + (entries or 2**16)), dataset)
    return Span(float(table.min()), float(table.max()))


def _prepare_window(dataset: "Dataset") -> bool:
    """Check whether there is a valid window, and prepare it for pydicom."""
    if dataset.get("WindowCenter") is None or dataset.get("WindowWidth") is None:
        return False
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    width = np.atleast_1d(np.asarray(dataset.WindowWidth, np.float64))[0]
    # PS3.3 C.11.2.1.2.1 and C.11.2.1.3
    if width <= 0 or (function == "LINEAR" and width < 1):
        return False
    # pydicom maps a window to the range that these elements describe: make it 0..255.
    for keyword in ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"):
        if keyword in dataset:
            del dataset[keyword]
    dataset.BitsStored, dataset.PixelRepresentation = 8, 0
    dataset.VOILUTFunction = function
    return True


def _luminance(stored: Stored, dataset: "Dataset", layout: Layout, color: bool) -> Raster:
    from pydicom.pixels import apply_color_lut

    colors = stored.values
    if layout.photometric == "PALETTE COLOR":
        colors = apply_color_lut(colors, dataset)[..., :COLOR_SAMPLES]
    is_wide = colors.dtype == np.uint16
    eight = (colors >> 8 if is_wide else colors).astype(np.uint8, copy=False) if color else None
    share = 0.0 if eight is None else color_share(eight)
    gray = cv2.cvtColor(colors, cv2.COLOR_RGB2GRAY)
    if is_wide:
        pixels, note = to_8_bits(gray.astype(np.uint16, copy=False))
        return Raster(pixels, note, share)
    return Raster(gray.astype(np.uint8, copy=False), color=share)
