"""What a prepared tree says of each of its images: manifest.csv in its root."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from xray.errors import DataError
from xray.types import SPLITS, Split

MANIFEST = "manifest.csv"
COLUMNS = (
    "path", "source", "label", "class", "patient", "view", "width", "height", "bits", "sha256",
    "phash", "split",
)  # fmt: skip
_NEEDED = ("path", "patient")
"""Of a table that somebody wrote by hand; the folders tell the rest."""
_REMEDY = "Prepare the tree anew, or delete the manifest to have the tree read by its folders."


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a tree.

    Attributes:
        path: Below the tree's root, with forward slashes.
        source: Name of the dataset that it is from; "" where the table does not tell.
        label: What it is there, before grouping ("Lung_Opacity"); likewise.
        class_name: What it is here ("pneumonia"); the column is called "class"; likewise.
        patient: Whose image it is, unique in the tree; None where the source does not tell.
        view: Of the X-ray tube ("PA", "AP"); None where the source does not tell.
        width: Pixels; None, as the four that follow, where the image was not opened.
        height: Pixels.
        bits: Of a grey value in the file.
        sha256: Of the file's bytes, hexadecimal.
        phash: 64-bit perceptual hash of the pixels; 16 hexadecimal digits in the file.
        split: Where the tree puts it; None in a flat tree.
    """

    path: str
    source: str
    label: str
    class_name: str
    patient: str | None
    view: str | None
    width: int | None
    height: int | None
    bits: int | None
    sha256: str | None
    phash: int | None
    split: Split | None

    def cells(self) -> list[str]:
        """Write the row's cells in the order of `COLUMNS`; what is not known is empty."""
        values = [getattr(self, "class_name" if c == "class" else c) for c in COLUMNS]
        cells = ["" if value is None else str(value) for value in values]
        if self.phash is not None:
            cells[COLUMNS.index("phash")] = f"{self.phash:016x}"
        return cells


def write_manifest(root: Path, rows: Iterable[Row]) -> None:
    """Write root/manifest.csv, sorted by path.

    Raises:
        OSError: It cannot be written.
    """
    with (root / MANIFEST).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row.cells() for row in sorted(rows, key=lambda row: row.path))


def read_manifest(root: Path) -> dict[str, Row] | None:
    """Read root/manifest.csv.

    Args:
        root: A tree's root.

    Returns:
        Path below `root`, with forward slashes -> row; None where there is no manifest.

    Raises:
        DataError: It cannot be read, lacks the column "path" or "patient", lists a path twice or
            one that leads out of `root`, or a cell is not what its column holds.
    """
    path = root / MANIFEST
    if not path.is_file():
        return None
    rows: dict[str, Row] = {}
    try:
        for line, row in _rows(path):
            if row.path in rows:
                raise DataError(f"{path}, line {line}: {row.path!r} is listed twice. {_REMEDY}")
            rows[row.path] = row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}). {_REMEDY}") from error
    return rows


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [column for column in _NEEDED if column not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{path} has no column {', '.join(missing)}. {_REMEDY}")
        for cells in reader:
            try:
                yield reader.line_num, _row(cells)
            except ValueError as error:
                raise DataError(f"{path}, line {reader.line_num}: {error}. {_REMEDY}") from error


def _row(cells: Mapping[str, str | None]) -> Row:
    if None in cells.values() or None in cells:
        raise ValueError("it has not as many cells as the first line")
    given = {column: cells.get(column) or None for column in COLUMNS}
    place, split = given["path"] or "", given["split"]
    relative = PurePosixPath(place)
    if not place or "\\" in place or relative.is_absolute() or ".." in relative.parts:
        raise ValueError(f"{place!r} is no path below the root, with forward slashes")
    if split not in (None, *SPLITS):
        raise ValueError(f"the split {split!r} is none of {', '.join(SPLITS)}")
    for column in ("source", "label", "class"):
        if column in cells and given[column] is None:
            raise ValueError(f"the cell of {column} is empty")
    return Row(
        path=place,
        source=given["source"] or "",
        label=given["label"] or "",
        class_name=given["class"] or "",
        patient=given["patient"],
        view=given["view"],
        width=_number("width", given["width"]),
        height=_number("height", given["height"]),
        bits=_number("bits", given["bits"]),
        sha256=given["sha256"],
        phash=_number("phash", given["phash"], 16),
        split=next((known for known in SPLITS if known == split), None),
    )


def _number(column: str, cell: str | None, base: int = 10) -> int | None:
    try:
        return None if cell is None else int(cell, base)
    except ValueError:
        raise ValueError(f"{cell!r} is no {column}") from None
