"""Create DICOM files for tests."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

DIGITAL_RADIOGRAPH = UID("1.2.840.10008.5.1.4.1.1.1.1")


def radiograph(bits: int = 12, *, height: int = 120, width: int = 160) -> np.ndarray:
    """Return (H, W) uint16: a smooth drawing of two lungs with values up to nearly 2**bits."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    lungs = np.exp(-(((np.abs(x) - 0.45) / 0.3) ** 2) - (y / 0.7) ** 2)
    field = 0.75 - 0.6 * lungs + 0.1 * y + 0.07 * x
    return (field / field.max() * (2**bits - 1)).clip(0).astype(np.uint16)


def dataset(pixels: np.ndarray, bits: int | None = None, **tags: object) -> Dataset:
    """Create an uncompressed radiograph of (H, W) or (H, W, 3) pixels; `tags` override elements."""
    allocated = pixels.dtype.itemsize * 8
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = DIGITAL_RADIOGRAPH
    made.SOPInstanceUID = generate_uid()
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    made.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated = allocated
    made.BitsStored = bits or allocated
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OB" if allocated == 8 else "OW"
    return made


def encapsulated(made: Dataset, stream: bytes, syntax: UID) -> Dataset:
    """Replace the pixel data by a compressed stream, and return the dataset."""
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = encapsulate([stream])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return made


def write(made: Dataset, path: Path) -> Path:
    """Save a dataset with preamble and file meta information, and return the path."""
    made.save_as(path, enforce_file_format=True)
    return path
