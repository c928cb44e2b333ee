"""CSV files with a header line."""

import csv
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from xray.errors import DataError

_SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file.

    Attributes:
        path: The file.
        columns: Column names, in order.
        rows: Line number in the file and cells (column -> text without spaces around it) of each
            row. Blank rows are left out.
        ragged: Line numbers of rows that have more or fewer cells than the header.
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]]
    ragged: tuple[int, ...]


def read_table(path: Path, required: Collection[str], optional: Collection[str] = ()) -> Table:
    """Read a CSV file that is separated by commas, semicolons or tabs, in UTF-8.

    Column names in `required` and `optional` are recognized regardless of case.

    Args:
        path: The file.
        required: Columns that it must have.
        optional: Further columns that the caller uses.

    Raises:
        DataError: The file cannot be read, a required column is missing, or a column name occurs
            twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        separator = _separator(text, required)
        # Without skipinitialspace, a quote after ", " would be part of the cell.
        reader = csv.reader(StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        names = {name.casefold(): name for name in (*required, *optional)}
        header = [cell.strip() for cell in next(reader, [])]
        columns = tuple(names.get(name.casefold(), name) for name in header)
        _check_header(path, columns, required)
        lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}). Save it as CSV in UTF-8.") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}). Save it as CSV in UTF-8.") from error
    rows = [
        (line, dict(zip(columns, map(str.strip, cells), strict=False))) for line, cells in lines
    ]
    ragged = tuple(line for line, cells in lines if len(cells) != len(columns))
    return Table(path, columns, rows, ragged)


def _separator(text: str, required: Collection[str]) -> str:
    """Return the separator by which the first line has most of the required columns."""
    header = next(iter(text.splitlines()), "")
    wanted = {name.casefold() for name in required}

    def found(separator: str) -> tuple[int, int]:
        cells = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
        return len(wanted & {cell.strip().casefold() for cell in cells}), len(cells)

    return max(_SEPARATORS, key=found)


def _check_header(path: Path, columns: tuple[str, ...], required: Collection[str]) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(map(repr, missing))}; its columns are: "
            f"{', '.join(columns) or 'none'}. Rename or add the column in the first line."
        )
    twice = [name for name, count in Counter(columns).items() if count > 1 and name]
    if twice:
        raise DataError(
            f"{path} has the column {twice[0]!r} {columns.count(twice[0])} times. Keep one of them."
        )
