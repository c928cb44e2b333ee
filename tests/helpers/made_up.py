"""Small datasets of noise, in the layouts of public datasets, and the prepare command."""

import csv
import io
import logging
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from xray.data.manifest import read_manifest
from xray.data.manifest_row import Row
from xray.prepare import main


def picture(seed: int, *, width: int = 48, height: int = 40, kind: str = "PNG") -> bytes:
    """Return an encoded image of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


def dicom(*, seed: int, name: str, view: str) -> bytes:
    """Return a DICOM file of noise, with a patient name in its header."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    data = FileDataset("x.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID,
    )  # fmt: skip
    data.PatientName, data.PatientID, data.ViewPosition = name, name, view
    data.Rows, data.Columns, data.SamplesPerPixel = 40, 48, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 48), dtype=np.uint8)
    data.PixelData = pixels.tobytes()
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def pictures(names: Sequence[str]) -> dict[str, bytes]:
    """Return an encoded image per name; all images differ."""
    kinds = {".png": "PNG", ".gif": "GIF", ".jp2": "JPEG2000"}
    return {
        name: picture(i, kind=kinds.get(Path(name).suffix.lower(), "JPEG"))
        for i, name in enumerate(names)
    }


def table(columns: Sequence[str], lines: Sequence[Sequence[object]]) -> bytes:
    """Return the content of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(lines)
    return text.getvalue().encode()


def lay(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder, and return the folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def pack(archive: Path, files: Mapping[str, bytes]) -> Path:
    """Write a zip archive of files, and return its path."""
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return archive


@dataclass(frozen=True)
class Outcome:
    """Exit status and output of a command."""

    status: int
    out: str
    err: str


def prepare(root: Path, *argv: str) -> Outcome:
    """Run xray.prepare in this process, with its outputs below `root`."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        with (
            patch.dict(os.environ, {"XRAY_ROOT": str(root), "COLUMNS": "200"}),
            patch.object(sys, "argv", ["prepare.py", *argv]),
            # Hydra raises all errors if it detects a debugger.
            patch("hydra._internal.utils.is_under_debugger", lambda: False),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            main()
    except SystemExit as error:
        status = int(error.code or 0)
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)
    return Outcome(status, out.getvalue(), err.getvalue())


def prepared(root: Path, *argv: str) -> dict[str, Row]:
    """Prepare root/tree, and return its manifest, which lists every file except masks."""
    outcome = prepare(root, f"out={root}/tree", *argv)
    assert (outcome.status, outcome.err) == (0, "")
    manifest = read_manifest(root / "tree")
    assert manifest is not None
    rows = dict(manifest.rows)
    found = {p.relative_to(root / "tree").as_posix() for p in (root / "tree").glob("*/**/*.*")}
    assert {name for name in found if not name.startswith("masks/")} == set(rows)
    return rows


def rejected(root: Path) -> list[tuple[str, str, str]]:
    """Return the rows of root/tree/rejected.csv."""
    with (root / "tree" / "rejected.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["source", "path", "reason"]
    return [(source, path, reason) for source, path, reason in lines]
