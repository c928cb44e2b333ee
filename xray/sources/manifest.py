"""Images that a table lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.data import manifest as tables
from xray.errors import DataError
from xray.sources.base import About, Item
from xray.sources.download import obtain_local
from xray.sources.files import images_in


@dataclass(frozen=True, slots=True)
class Manifest:
    """CSV file with the columns path and label, and optionally class, patient, view and split.

    Patients are numbered in the order of the table, so that the IDs of a hospital are not copied.
    The column class, if there is one, determines the class instead of label.

    Args:
        path: The CSV file, or a folder or archive that contains manifest.csv. Paths in it are
            relative to its folder.
    """

    about: ClassVar = About(
        title="Your own table of images",
        page="the table given as path=",
        license="that of your images; state it here",
        citation="that of your images; state it here",
        size="any",
        patients="Column patient, renumbered. An image without a patient ID counts as one patient.",
    )

    path: str

    def open(self, downloads: Path, work: Path) -> Path:
        """Return the path of the table, unpacked if necessary."""
        place = Path(self.path).expanduser()
        if place.suffix.lower() == ".csv" and place.is_file():
            return place
        table = obtain_local(self.path, work) / tables.MANIFEST
        if not table.is_file():
            raise DataError(f"{place} contains no {tables.MANIFEST}. Pass path=<the CSV file>.")
        return table

    def items(self, root: Path) -> Iterator[Item]:
        """List the rows of the table `root`.

        Raises:
            DataError: See `xray.data.manifest.load_manifest`; or a path leads out of the folder
                of the table through a link, or no row names a file.
        """
        manifest = tables.load_manifest(root, ("path", "label"))
        _check_inside(manifest)
        numbers: dict[str, str] = {}
        for name, file in _files(manifest).items():
            row = manifest.rows[name]
            patient = row.patient
            if patient is not None:
                patient = numbers.setdefault(patient, f"patient{len(numbers) + 1:05d}")
            yield Item(
                file,
                row.label,
                patient=patient,
                view=row.view,
                split=row.split,
                folder_name=row.class_name or None,
            )


def _files(manifest: tables.Manifest) -> dict[str, Path]:
    """Return the file of each row; warn of images in the same folders that no row names."""
    root = manifest.path.parent
    tops = {tables.fold_path(name.split("/")[0]) for name in manifest.rows if "/" in name}
    images = [
        path
        for top in sorted(root.iterdir())
        if top.is_dir() and tables.fold_path(top.name) in tops
        for path in images_in(top)
    ]
    if any("/" not in name for name in manifest.rows):
        images += [path for path in images_in(root) if path.parent == root]
    rows = manifest.match(
        [path.relative_to(root).as_posix() for path in images], "They are not copied."
    )
    found = {row.path: path for row, path in zip(rows, images, strict=True) if row}
    return {name: found.get(name, root / name) for name in manifest.rows}


def _check_inside(manifest: tables.Manifest) -> None:
    """Raise a DataError if a path leads out of the manifest's folder through a link."""
    root = manifest.path.parent.resolve()
    for name in manifest.rows:
        if not (root / name).resolve().is_relative_to(root):
            raise DataError(
                f"{manifest.path}, line {manifest.lines[name]}: {name!r} is a link to a file "
                f"outside {root}. Copy the file into that folder."
            )
