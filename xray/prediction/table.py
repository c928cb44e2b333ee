"""The table of predictions, which a killed process can continue."""

import csv
import io
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self

from xray.errors import RunError
from xray.prediction.prediction import Prediction

PREFIX = "p_"
_CHUNK_ROWS, _CHUNK_SECONDS = 512, 2.0
_AFTER = ("predicted", "threshold", "warnings", "error")


class PredictionTable:
    """Writes predictions.csv in chunks; rows are on the disk when `append` or `close` flushes them.

    Columns: path, p_<class> for each class, predicted, threshold, warnings, error.

    Args:
        path: The file.
        classes: K class names.
    """

    def __init__(self, path: Path, classes: Sequence[str]) -> None:
        self.path = path
        self.columns = ["path", *(PREFIX + name for name in classes), *_AFTER]
        self._rows: list[Prediction] = []
        self._flushed = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.flush()

    def recover(self, paths: Iterable[Path]) -> int:
        """Remove an incomplete last row, and count the complete ones.

        Args:
            paths: The paths of all rows that are to be written, in order.

        Returns:
            The number of complete rows.

        Raises:
            RunError: The file cannot be opened, or its rows are not those of `paths`.
        """
        if not self.path.is_file():
            return 0
        with self.path.open("r+b") as file:
            size, rows = self._scan(file, iter(paths))
            file.truncate(size)
            os.fsync(file.fileno())
        return rows

    def append(self, prediction: Prediction) -> None:
        """Add a row; every 512 rows, and every 2 seconds, all rows are written to the disk."""
        self._rows.append(prediction)
        old = time.monotonic() - self._flushed > _CHUNK_SECONDS
        if old or len(self._rows) >= _CHUNK_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are not yet on the disk.

        Raises:
            RunError: The file cannot be written; the rows before stay.
        """
        new = not self.path.is_file() or self.path.stat().st_size == 0
        lines = [self.columns] if new else []
        lines += [self._cells(prediction) for prediction in self._rows]
        try:
            with self.path.open("ab") as file:
                file.write(_encode(lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be written ({error.strerror}). Make room there, and run the "
                "same command again: it continues."
            ) from error
        self._rows, self._flushed = [], time.monotonic()

    def read(self) -> Iterator[dict[str, str]]:
        """Read the rows one at a time, by column."""
        with self.path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            yield from csv.DictReader(file)

    def _cells(self, prediction: Prediction) -> list[str]:
        threshold = prediction.threshold if prediction.error is None else None
        shares = [prediction.probabilities.get(c[len(PREFIX) :]) for c in self.columns[1:-4]]
        return [
            str(prediction.path),
            *("" if share is None else repr(share) for share in shares),
            prediction.label or "",
            "" if threshold is None else repr(threshold),
            " ".join(prediction.warnings),
            prediction.error or "",
        ]

    def _scan(self, file: BinaryIO, paths: Iterator[Path]) -> tuple[int, int]:
        """Return the size in bytes and the number of the complete rows."""
        size, rows = 0, -1
        for record in _records(file):
            cells = next(csv.reader([record.decode("utf-8", "surrogateescape")]), [])
            if len(cells) != len(self.columns) or b"\0" in record:
                # A crash of the machine can leave blocks of zeros.
                break
            expected = str(next(paths, None)) if rows >= 0 else self.columns[0]
            if cells[0] != expected or (rows < 0 and cells != self.columns):
                raise RunError(
                    f"{self.path}, row {rows + 2}: found {cells[0]!r}, expected {expected!r}. The "
                    "file was edited or belongs to other images. Pass another output=<folder>."
                )
            size, rows = size + len(record), rows + 1
        return size, max(rows, 0)


def _records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the complete records of a CSV file; a quoted path may contain line breaks."""
    record = b""
    for line in file:
        record += line
        if record.count(b'"') % 2 == 0 and record.endswith(b"\n"):
            yield record
            record = b""


def _encode(lines: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    # The default line end, \r\n, makes the writer quote both characters in a path.
    csv.writer(text).writerows(lines)
    return text.getvalue().encode("utf-8", "surrogateescape")
