"""Any folder of class folders, with or without splits."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

from xray.data.groups import folders_in, is_noise
from xray.data.layout import find_layout
from xray.data.patients import check_pattern, compile_patient_pattern
from xray.imaging.format import is_dicom
from xray.sources.base import About, Item
from xray.sources.dicom_names import DicomNames
from xray.sources.download import obtain_local
from xray.sources.listing import CANDIDATES, images_in
from xray.types import Split

_KEY = "source.folder.patient_pattern"


@dataclass(frozen=True, slots=True)
class Folder:
    """Images in <class>/, or in <split>/<class>/; masks beside them in masks/<kind>/.

    File names are kept, but for those of DICOM files, whose patients are told by their headers.

    Args:
        path: A local archive or folder.
        patient_pattern: See `xray.data.patients.PatientRule`.
    """

    about: ClassVar = About(
        title="A folder of your own",
        page="the folder given as path=",
        licence="that of your images: note it here",
        citation="that of your images: note it here",
        size="as it is",
        patients="What patient_pattern finds in the file name; a name that it does not fit counts "
        "as a patient. Of DICOM files, where no patient_pattern is given: their header's, numbered "
        "anew.",
    )

    path: str
    patient_pattern: str | None = None

    def open(self, downloads: Path, work: Path) -> Path:
        """See `Source.open`; folders that only wrap another are entered."""
        root = obtain_local(self.path, work)
        while (inner := _wrapped(root)) is not None:
            root = inner
        return root

    def items(self, root: Path) -> Iterator[Item]:
        """List the images of every class folder.

        A warning is logged if patient_pattern does not match all of them.
        """
        rule = compile_patient_pattern(self.patient_pattern, _KEY)
        names = DicomNames()
        images: list[Path] = []
        patients: list[str | None] = []
        for split, folder in find_layout(root).items():
            own: Split | None = None if folder == root else split
            found = [path for label in folders_in(folder) for path in images_in(label)]
            places = [PurePosixPath(path.relative_to(folder).as_posix()) for path in found]
            ids = rule.find(places)
            for path, place, patient in zip(found, places, ids, strict=True):
                item = Item(path, place.parts[0], split=own, masks=_masks(root, path))
                if is_dicom(path) and self.patient_pattern is None:
                    yield names.rename(item)
                else:
                    yield replace(item, patient=patient)
            images += found
            patients += ids
        check_pattern(images, patients, rule)


def _wrapped(root: Path) -> Path | None:
    """Give the only folder in `root` where it holds folders and no images of its own."""
    inner = folders_in(root)
    if len(inner) != 1 or not folders_in(inner[0]):
        return None
    is_loose = any(
        path.suffix.lower() in CANDIDATES and not is_noise(path.name)
        for folder in (root, inner[0])
        for path in folder.iterdir()
    )
    return None if is_loose else inner[0]


def _masks(root: Path, image: Path) -> dict[str, Path]:
    places = (root / "masks").iterdir() if (root / "masks").is_dir() else ()
    found = {kind.name: kind / image.relative_to(root).with_suffix(".png") for kind in places}
    return {kind: mask for kind, mask in sorted(found.items()) if mask.is_file()}
