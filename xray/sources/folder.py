"""Your own folder of class folders, with or without splits."""

import logging
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

from xray.data.extraneous import ClassFiles
from xray.data.groups import Groups
from xray.data.layout import find_layout
from xray.data.manifest import MANIFEST
from xray.data.names import fold_name, folders_in, is_noise
from xray.data.patients import PatientRule, check_pattern, compile_patient_pattern
from xray.errors import ImageError
from xray.imaging.dicom_tags import dicom_tags
from xray.imaging.format import is_dicom
from xray.sources.base import About, Item
from xray.sources.download import obtain_local
from xray.sources.files import CANDIDATES, images_in
from xray.types import Split

log = logging.getLogger(__name__)

_KEY = "source.folder.patient_pattern"


@dataclass(frozen=True, slots=True)
class Folder:
    """Images in <class>/ or <split>/<class>/, and optionally masks in masks/<kind>/.

    File names are kept, except those of DICOM files, whose patients are read from their headers.

    Args:
        path: Local archive or folder.
        patient_pattern: See `xray.data.patients.PatientRule`.
    """

    about: ClassVar = About(
        title="Your own folder of images",
        page="the folder given as path=",
        license="that of your images; state it here",
        citation="that of your images; state it here",
        size="any",
        patients="Found by patient_pattern in the path; an image without a match counts as one "
        "patient. DICOM files without a patient_pattern: from their headers, renumbered.",
    )

    path: str
    patient_pattern: str | None = None

    def open(self, downloads: Path, work: Path) -> Path:
        """Return the folder, without folders that only contain another folder."""
        root = obtain_local(self.path, work)
        while (inner := _wrapped(root)) is not None:
            root = inner
        return root

    def items(self, root: Path) -> Iterator[Item]:
        """List the images of every class folder.

        Warnings are logged if patient_pattern does not match all images, and if the folder
        contains a manifest.csv, which this source does not read.
        """
        if (root / MANIFEST).is_file():
            log.warning(
                "%s is not read by source=folder. Pass source=manifest to use its labels, "
                "patients and splits.",
                root / MANIFEST,
            )
        rule = compile_patient_pattern(self.patient_pattern, _KEY)
        names = DicomNames()
        listed: list[Item] = []
        for split, folder in find_layout(root, key="path").items():
            own: Split | None = None if folder == root else split
            listed += [replace(item, split=own) for item in _images(folder, rule)]
        check_pattern([item.path for item in listed], [item.patient for item in listed], rule)
        for item in listed:
            masked = replace(item, masks=_masks(root, item.path))
            is_renamed = self.patient_pattern is None and is_dicom(item.path)
            yield names.rename(masked) if is_renamed else masked


class DicomNames:
    """New names for DICOM files, which often contain the name of the patient.

    Patients and files are numbered in the order in which they occur. Equal numbers mean equal
    patients within one dataset. The original IDs are not stored.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_hex()
        self._patients: dict[str, str] = {}
        self._files = 0

    def rename(self, item: Item) -> Item:
        """Return the item of a DICOM file with patient, view and name.

        An unreadable file is returned unchanged; it is rejected when its pixels are read.
        """
        self._files += 1
        name = f"dicom{self._files:06d}"
        try:
            tags = dicom_tags(item.path, salt=self._salt)
        except ImageError:
            return replace(item, patient=None, name=name)
        if tags.patient is None:
            return replace(item, patient=None, view=tags.view, name=name)
        number = f"patient{len(self._patients) + 1:05d}"
        patient = self._patients.setdefault(tags.patient, number)
        return replace(item, patient=patient, view=tags.view, name=f"{patient}_{name}")


def _images(folder: Path, rule: PatientRule) -> Iterator[Item]:
    """Yield the images of the class folders in a folder."""
    labels = folders_in(folder)
    _check_nested(labels)
    found = [path for label in labels for path in images_in(label)]
    places = [PurePosixPath(path.relative_to(folder).as_posix()) for path in found]
    for path, place, patient in zip(found, places, rule.find(places), strict=True):
        yield Item(path, place.parts[0], patient=patient)


def _check_nested(labels: Sequence[Path]) -> None:
    """Check that no class folder contains a folder named like a split or another class folder.

    Raises:
        DataError: One does; the message names both.
    """
    names: dict[str, list[str]] = {fold_name(label.name): [] for label in labels}
    if len(names) > 1:
        for label in labels:
            ClassFiles(label, Groups(names))


def _wrapped(root: Path) -> Path | None:
    """Return the only folder in `root`, if it contains folders and neither contains images."""
    inner = folders_in(root)
    if len(inner) != 1 or not folders_in(inner[0]):
        return None
    has_images = any(
        path.suffix.lower() in CANDIDATES and not is_noise(path.name)
        for folder in (root, inner[0])
        for path in folder.iterdir()
    )
    return None if has_images else inner[0]


def _masks(root: Path, image: Path) -> dict[str, Path]:
    places = (root / "masks").iterdir() if (root / "masks").is_dir() else ()
    found = {kind.name: kind / image.relative_to(root).with_suffix(".png") for kind in places}
    return {kind: mask for kind, mask in sorted(found.items()) if mask.is_file()}
