"""Files of all kinds that a hospital export may contain, in nested folders."""

from pathlib import Path

import cv2
import dicoms
import numpy as np
from made_images import write_image

PATIENT = "Doe^Jane"
"""Name in the header of each DICOM file."""


def write_mixed_files(folder: Path, count: int) -> list[Path]:
    """Write readable and unreadable images without labels.

    Args:
        folder: Folder to write into.
        count: Number of files; of ten, four are PNG, two JPEG, two DICOM (one without a suffix),
            and two cannot be read.

    Returns:
        The unreadable files.
    """
    bad = []
    for i in range(count):
        path = folder / f"ward {i % 7}" / f"study{i % 3}" / f"{i:04d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        match i % 10:
            case 0 | 1 | 2 | 3:
                write_image(path.with_suffix(".png"), level=60 + i % 120, seed=i)
            case 4 | 5:
                noise = np.random.default_rng(i).integers(60, 200, (40, 48), np.uint8)
                cv2.imwrite(str(path.with_suffix(".jpg")), noise)
            case 6 | 7:
                made = dicoms.dataset(dicoms.radiograph(height=40, width=48), 12)
                made.PatientName = PATIENT
                dicoms.write(made, path.with_suffix(".dcm") if i % 10 == 6 else path)
            case 8:
                bad.append(path.with_suffix(".png"))
                bad[-1].write_bytes(b"" if i % 20 == 8 else b"text")
            case 9:
                image = write_image(path.with_suffix(".png"), seed=i)
                image.write_bytes(image.read_bytes()[:200])
                bad.append(image)
    return bad
