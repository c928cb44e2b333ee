"""DICOM files: from stored values to what a viewer shows.

The steps are those of DICOM PS3.4 N.2: stored bits, modality lookup table or rescaling, lookup
table or window of interest (the first of several), inversion of MONOCHROME1. So bright means dense
in every array. Without a window, or with one of a senseless width, the lowest and the highest value
of the image itself become 0 and 255.

pydicom and its decoders are an extra, and are imported where they are needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np
import numpy.typing as npt

from xray.errors import ImageError
from xray.imaging.dicom_header import (
    COLOUR_SAMPLES,
    Layout,
    discreet,
    parse,
    read_dicom_header,
    without_pixels,
)
from xray.imaging.format import REPLACE
from xray.imaging.raster import Grey, to_8_bits

if TYPE_CHECKING:
    from pydicom import Dataset

Stored = npt.NDArray[np.integer[Any]]

_GREYS = frozenset({"MONOCHROME1", "MONOCHROME2"})
_DECODER = (
    "Convert it to explicit little endian (gdcmconv --raw), or install what decodes it: "
    "pip install -e '.[dicom]', or python-gdcm for lossless JPEG; pydicom finds them by itself."
)


def read_dicom(file: BinaryIO, path: Path, max_pixels: int) -> Grey:
    """Decode a DICOM file of one frame to greyscale.

    Returns:
        (H, W) uint8.

    Raises:
        ImageError: pydicom is not installed; there is no image, or one of a size, kind or transfer
            syntax that is not read; it is damaged, or blank within its window.
    """
    layout = read_dicom_header(file, path, max_pixels)
    dataset = parse(file, path, pixels=True)
    stored = _decode(dataset, layout, path)
    with discreet(path, "has a lookup table or window without sense"):
        if layout.photometric in _GREYS:
            grey = _show(stored, dataset)
        else:
            grey = _luminance(stored, dataset, layout)
    if grey.min() == grey.max() and stored.min() != stored.max():
        reason = "is blank: its window (VOI LUT) shows all pixels as one value"
        raise ImageError(path, reason, "Mend its window, or remove it.")
    return 255 - grey if layout.photometric == "MONOCHROME1" else grey


def _decode(dataset: "Dataset", layout: Layout, path: Path) -> Stored:
    """Decode (H, W) or (H, W, 3) stored values, of 8 or 16 bits, colours as RGB."""
    from pydicom.pixels import pixel_array

    syntax = dataset.file_meta.TransferSyntaxUID
    is_shifted = layout.high_bit != layout.bits - 1
    with discreet(path, f"has pixel data that are corrupted, or of a rare kind: {syntax.name}"):
        _check_decodable(dataset, layout, path)
        if is_shifted:
            # pydicom would take the lowest bits.
            dataset.BitsStored = layout.allocated
        stored: Stored = pixel_array(dataset, index=0)
    if is_shifted:
        left = layout.allocated - 1 - layout.high_bit
        stored = (stored << left) >> (layout.allocated - layout.bits)
    return stored


def _check_decodable(dataset: "Dataset", layout: Layout, path: Path) -> None:
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    if "PixelData" not in dataset:
        # Something follows the header, or it had been refused: pixel data that are cut off.
        reason = "is truncated (its compressed pixel data have no end)"
        raise ImageError(path, reason, REPLACE) if syntax.is_encapsulated else without_pixels(path)
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


def _show(stored: Stored, dataset: "Dataset") -> Grey:
    """Map stored values (H, W) to the scale of a viewer, by a table of all that may occur."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    low, high = int(stored.min()), int(stored.max())
    places = stored.astype(np.int32) - low
    values = apply_modality_lut(np.arange(low, high + 1), dataset)
    span: tuple[float, float]
    if _prepare_lut(dataset):
        table = apply_voi_lut(np.rint(values).astype(np.int64), dataset)
        span = _lut_span(dataset)
    elif _prepare_window(dataset):
        table, span = apply_voi_lut(values, dataset), (0, 255)
    else:
        occurs = np.zeros(len(values), bool)
        occurs[places] = True
        table, span = values, (values[occurs].min(), values[occurs].max())
    scaled = (table.astype(np.float64) - span[0]) * 255 / max(span[1] - span[0], 1e-12)
    # Values that do not occur may lie beyond the scale.
    grey: Grey = np.rint(scaled).clip(0, 255).astype(np.uint8)
    return grey[places]


def _prepare_lut(dataset: "Dataset") -> bool:
    """Tell whether there is a lookup table of interest, and ready it."""
    if not dataset.get("VOILUTSequence"):
        return False
    item = dataset.VOILUTSequence[0]
    entries, first, _ = item.LUTDescriptor
    # pydicom cuts the indices, too, of a table of 8-bit entries to 8 bits.
    item.LUTDescriptor = [entries, first, 16]
    return True


def _lut_span(dataset: "Dataset") -> tuple[float, float]:
    # Its own lowest and highest entry: many files declare more bits than they use.
    from pydicom.pixels import apply_voi_lut

    entries, first, _ = dataset.VOILUTSequence[0].LUTDescriptor
    table = apply_voi_lut(np.arange(first, first + (entries or 2**16)), dataset)
    return float(table.min()), float(table.max())


def _prepare_window(dataset: "Dataset") -> bool:
    """Tell whether there is a window of interest, and ready it."""
    if dataset.get("WindowCenter") is None or dataset.get("WindowWidth") is None:
        return False
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    width = np.atleast_1d(np.asarray(dataset.WindowWidth, np.float64))[0]
    # PS3.3 C.11.2.1.2.1 and C.11.2.1.3
    if width <= 0 or (function == "LINEAR" and width < 1):
        return False
    # A window maps to the range that these describe: let it be 0..255.
    for keyword in ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"):
        if keyword in dataset:
            del dataset[keyword]
    dataset.BitsStored, dataset.PixelRepresentation = 8, 0
    dataset.VOILUTFunction = function
    return True


def _luminance(stored: Stored, dataset: "Dataset", layout: Layout) -> Grey:
    from pydicom.pixels import apply_color_lut

    colours = stored
    if layout.photometric == "PALETTE COLOR":
        colours = apply_color_lut(stored, dataset)[..., :COLOUR_SAMPLES]
    if colours.dtype == np.uint16:
        return to_8_bits(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY).astype(np.uint16, copy=False))
    return cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
