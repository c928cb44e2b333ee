"""Rows of manifest.csv: one image each, and the check of their cells."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from xray.data.names import SPLIT_FOLDERS
from xray.types import Split

COLUMNS = (
    "path", "source", "label", "class", "patient", "view", "width", "height", "bits", "sha256",
    "split",
)  # fmt: skip
NO_PATIENT = frozenset(
    {"", "-", "--", "?", "n/a", "n.a.", "na", "<na>", "nan", "none", "null", "unknown"}
)
"""Patient cells, in lower case, that mean "no patient ID"."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a manifest. Fields whose column is missing are None or "".

    Attributes:
        path: Path below the folder of the manifest, with forward slashes.
        source: Name of the dataset.
        label: Label in that dataset, before grouping ("Lung_Opacity").
        class_name: Class after grouping ("pneumonia"); column "class".
        patient: Patient ID, unique in the manifest; None if unknown.
        view: View position ("PA", "AP").
        width: Width, pixels.
        height: Height, pixels.
        bits: Bits per gray value.
        sha256: SHA-256 of the file, hexadecimal.
        split: Split of the image.
    """

    path: str
    source: str = ""
    label: str = ""
    class_name: str = ""
    patient: str | None = None
    view: str | None = None
    width: int | None = None
    height: int | None = None
    bits: int | None = None
    sha256: str | None = None
    split: Split | None = None

    def cells(self) -> list[str]:
        """Return the cells of the row in the order of `COLUMNS`; unknown values are empty."""
        values = [getattr(self, "class_name" if c == "class" else c) for c in COLUMNS]
        return ["" if value is None else str(value) for value in values]


def normalize_path(text: str) -> str:
    """Normalize a path of a manifest: "./a//b.png" becomes "a/b.png".

    Raises:
        ValueError: The path is empty, absolute, contains a backslash, or leads out of the folder.
    """
    text = text.strip()
    path = PurePosixPath(text)
    if not path.parts:
        raise ValueError("the cell of 'path' is empty. Write the path of the image.")
    # A backslash separates folders on Windows and is part of a name elsewhere.
    if "\\" in text:
        raise ValueError(f"{text!r} contains a backslash. Write the path with forward slashes.")
    if path.is_absolute() or PureWindowsPath(text).drive or ".." in path.parts or "\0" in text:
        raise ValueError(
            f"{text!r} is not a path below the folder of the manifest. Write it relative to that "
            "folder, without '..'."
        )
    return path.as_posix()


def parse_row(cells: Mapping[str, str]) -> Row:
    """Convert the cells of a line, by column, to a row.

    Raises:
        ValueError: A cell is empty or has an invalid value.
    """
    for column in ("source", "label", "class"):
        if cells.get(column) == "":
            raise ValueError(f"the cell of {column!r} is empty. Fill it, or delete the column.")
    patient = cells.get("patient", "")
    return Row(
        path=normalize_path(cells["path"]),
        source=cells.get("source", ""),
        label=cells.get("label", ""),
        class_name=cells.get("class", ""),
        patient=None if patient.casefold() in NO_PATIENT else patient,
        view=cells.get("view") or None,
        width=_number("width", cells),
        height=_number("height", cells),
        bits=_number("bits", cells),
        sha256=cells.get("sha256") or None,
        split=_split(cells.get("split", "")),
    )


def _split(cell: str) -> Split | None:
    if cell.casefold() in NO_PATIENT:
        return None
    for split, names in SPLIT_FOLDERS.items():
        if cell.casefold() in names:
            return split
    raise ValueError(
        f"the split is {cell!r}. Write {', '.join(SPLIT_FOLDERS)}, or leave the cell empty."
    )


def _number(column: str, cells: Mapping[str, str]) -> int | None:
    cell = cells.get(column)
    try:
        return int(cell) if cell else None
    except ValueError:
        raise ValueError(f"{column!r} is {cell!r}, but must be a whole number.") from None
