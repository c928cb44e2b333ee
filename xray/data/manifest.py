"""manifest.csv: reading, writing, and matching its rows with the files of a folder."""

import csv
import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xray.data.manifest_row import COLUMNS, Row, parse_row
from xray.data.table import read_table
from xray.errors import DataError

log = logging.getLogger(__name__)

MANIFEST = "manifest.csv"
_INFORMATION = ("patient", "label", "class", "split")
NAMES_ONLY = "Only their folder and file names are used."


@dataclass(frozen=True)
class Manifest:
    """Content of a manifest.

    Attributes:
        path: The CSV file.
        columns: Names of its columns.
        rows: Normalized path -> row.
        lines: Normalized path -> line number in the file.
    """

    path: Path
    columns: frozenset[str]
    rows: Mapping[str, Row]
    lines: Mapping[str, int]

    def match(self, files: Sequence[str], unlisted_are: str = NAMES_ONLY) -> list[Row | None]:
        """Find the row of each file.

        Paths are compared as written, and regardless of case and Unicode form where that is
        unambiguous. Files without a row, and rows without a file, are counted in a warning.

        Args:
            files: Paths of all images, or of those of one split, below the folder of the manifest.
            unlisted_are: Sentence that states what is done with files that have no row.

        Returns:
            One row per file; None if the manifest does not list it.

        Raises:
            DataError: No row refers to an existing file, or two rows refer to the same file.
        """
        found = self._find(files)
        used = {row.path for row in found.values()}
        absent = [
            name
            for name in self.rows
            if name not in used and not (self.path.parent / name).is_file()
        ]
        unlisted = [file for file in files if file not in found]
        if not found and len(absent) == len(self.rows):
            raise DataError(self._nothing_matches(files))
        self._warn_unmatched(absent, len(files), unlisted, unlisted_are)
        return [found.get(file) for file in files]

    def _find(self, files: Sequence[str]) -> dict[str, Row]:
        found = {file: self.rows[file] for file in files if file in self.rows}
        taken = {row.path for row in found.values()}
        folded: dict[str, list[str]] = defaultdict(list)
        for file in files:
            folded[fold_path(file)].append(file)
        for name, row in self.rows.items():
            near = [file for file in folded[fold_path(name)] if file != name]
            if name in taken or not near:
                continue
            if len(near) == 1 and (other := found.get(near[0])):
                raise DataError(
                    f"{self.path}: lines {self.lines[other.path]} and {self.lines[name]} name the "
                    f"same file {near[0]!r}. Delete one of them."
                )
            if len(near) == 1:
                found[near[0]] = row
        return found

    def _nothing_matches(self, files: Sequence[str]) -> str:
        first = f" (first: {next(iter(self.rows))!r})" if self.rows else ""
        there = f" The first image in the folder is {files[0]!r}." if files else ""
        return (
            f"{self.path} lists {len(self.rows)} files, but none of them exists{first}.{there} "
            f"Correct the column 'path', which is relative to {self.path.parent}."
        )

    def _warn_unmatched(
        self, absent: Sequence[str], files: int, unlisted: Sequence[str], unlisted_are: str
    ) -> None:
        if absent:
            log.warning(
                "%s: %d of %d rows refer to missing files (first: %r).",
                self.path,
                len(absent),
                len(self.rows),
                absent[0],
            )
        if unlisted:
            log.warning(
                "%s: %d of %d images have no row (first: %r). %s",
                self.path,
                len(unlisted),
                files,
                unlisted[0],
                unlisted_are,
            )


def write_manifest(root: Path, rows: Iterable[Row]) -> None:
    """Write root/manifest.csv, sorted by path.

    Raises:
        OSError: The file cannot be written.
    """
    with (root / MANIFEST).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row.cells() for row in sorted(rows, key=lambda row: row.path))


def read_manifest(root: Path) -> Manifest | None:
    """Read root/manifest.csv; None if there is no such file.

    Raises:
        DataError: See `load_manifest`; or the manifest has none of the columns patient, label,
            class and split.
    """
    path = root / MANIFEST
    if not path.is_file():
        return None
    manifest = load_manifest(path)
    if manifest.columns.isdisjoint(_INFORMATION):
        raise DataError(
            f"{path} has none of the columns {', '.join(_INFORMATION)}. Add one of them, or delete "
            f"{path.name} to use folder and file names only."
        )
    return manifest


def load_manifest(path: Path, required: Sequence[str] = ("path",)) -> Manifest:
    """Read a manifest with any file name.

    Paths are normalized, see `normalize_path`. Cells of the column "patient" such as "nan",
    "unknown" and "-" mean that the patient is unknown.

    Args:
        path: The CSV file; see `xray.data.table.read_table` for its format.
        required: Columns that it must have.

    Raises:
        DataError: The file cannot be read, lacks a required column or has one twice, a row has the
            wrong number of cells, a cell has an invalid value, or two rows have the same path.
    """
    table = read_table(path, required, COLUMNS)
    if table.ragged:
        raise DataError(
            f"{path}, line {table.ragged[0]}: the row does not have {len(table.columns)} cells, "
            "unlike the header. Quote cells that contain the separator."
        )
    rows: dict[str, Row] = {}
    lines: dict[str, int] = {}
    for line, cells in table.rows:
        try:
            row = parse_row(cells)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        if other := rows.get(row.path):
            raise DataError(_duplicate(path, lines[row.path], line, other, row))
        rows[row.path], lines[row.path] = row, line
    manifest = Manifest(path, frozenset(table.columns), rows, lines)
    _warn_similar_patients(manifest)
    return manifest


def fold_path(path: str) -> str:
    """Normalize the case and the Unicode form of a path, for comparison."""
    return unicodedata.normalize("NFC", path).casefold()


def _duplicate(path: Path, first: int, second: int, one: Row, two: Row) -> str:
    labels = [row.label or row.class_name for row in (one, two)]
    what = f"{one.path!r} is listed twice"
    if labels[0] != labels[1]:
        what += f", as {labels[0]!r} and as {labels[1]!r}"
    return f"{path}, lines {first} and {second}: {what}. Delete one of the two rows."


def _warn_similar_patients(manifest: Manifest) -> None:
    """Log a warning if patient IDs differ only in case, spaces or leading zeros."""
    alike: dict[str, dict[str, None]] = defaultdict(dict)
    for row in manifest.rows.values():
        if row.patient is not None:
            compact = re.sub(r"\s+", "", row.patient).casefold()
            alike[re.sub(r"(?<!\d)0+(?=\d)", "", compact)][row.patient] = None
    similar = [list(names) for names in alike.values() if len(names) > 1]
    if similar:
        log.warning(
            "%s: %d patient IDs differ from others only in case, spaces or leading zeros (first: "
            "%r and %r). They are treated as different patients; write the IDs of one patient the "
            "same way.",
            manifest.path,
            sum(len(names) - 1 for names in similar),
            similar[0][0],
            similar[0][1],
        )
