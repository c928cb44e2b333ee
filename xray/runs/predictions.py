"""The predictions of a split, in memory and as CSV."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xray.errors import RunError
from xray.integrity.verdict import UNAUDITED
from xray.stats.rule import EVEN
from xray.stats.scores import predict_classes

_FIXED = ("path", "patient", "label", "source", "target", "predicted")
_OLDER = tuple(name for name in _FIXED if name != "source")
"""Columns of older runs, which have no sources."""

_PREFIX, _CALIBRATED = "p_", "calibrated_"
_MIN_CLASSES = 2


# Without equality: the arrays in it have no single truth value.
@dataclass(frozen=True, eq=False)
class Predictions:
    """The images of a split, their classes and their predicted probabilities.

    Attributes:
        paths: N files.
        patients: N patient IDs.
        labels: N folder names, before grouping ("COVID-19").
        targets: (N,) int64, indices into `classes`.
        probabilities: (N, K) float64 in [0, 1], without temperature, rows summing to 1.
        classes: K names, in the order of the network's outputs.
        verdict: Result of the audit of the split, see `xray.integrity.verdict`; not in the CSV.
        threshold: With two classes, the second is predicted if its probability is greater.
        sources: N names of the datasets of the images, "" if unknown; or empty.
        calibrated: (N, K) float64, the probabilities at the run's temperature; None if unknown.
    """

    paths: list[str]
    patients: list[str]
    labels: list[str]
    targets: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    classes: tuple[str, ...]
    verdict: str = UNAUDITED
    threshold: float = EVEN
    sources: Sequence[str] = ()
    calibrated: npt.NDArray[np.float64] | None = None

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """(N,) int64, the predicted class of each image at `threshold`."""
        return predict_classes(self.probabilities, self.threshold)

    def to_csv(self, path: Path) -> None:
        """Write one line per image.

        Columns: path, patient, label, source, target, predicted, p_<class> for each class, and
        calibrated_<class> for each class if `calibrated` is known. Floats are written with all
        digits, so that `from_csv` returns the same numbers. The threshold is not written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        columns, numbers = [_PREFIX + name for name in self.classes], self.probabilities
        if self.calibrated is not None:
            columns += [_CALIBRATED + name for name in self.classes]
            numbers = np.hstack([numbers, self.calibrated])
        rows = zip(
            self.paths,
            self.patients,
            self.labels,
            self.sources or [""] * len(self.paths),
            [self.classes[k] for k in self.targets],
            [self.classes[k] for k in self.predicted],
            numbers.tolist(),
            strict=True,
        )
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file)
            writer.writerow([*_FIXED, *columns])
            writer.writerows([*fixed, *values] for *fixed, values in rows)

    @classmethod
    def from_csv(cls, path: Path) -> "Predictions":
        """Read a file written by `to_csv`.

        Raises:
            RunError: The file is missing, or a line is malformed; the message names file and line.
        """
        try:
            with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
                reader = csv.reader(file, strict=True)
                header = _read_header(next(reader, []), path)
                rows = [_read_row(row, header, path, reader.line_num) for row in reader]
                classes = header.classes
        except OSError as error:
            reason = f"{path} cannot be opened ({error.strerror})"
            raise RunError(f"{reason}. Write it with `python -m xray.evaluate`.") from error
        except csv.Error as error:
            raise _malformed(path, reader.line_num, str(error)) from error
        numbers = np.array([p for _, p in rows], dtype=np.float64)
        numbers = numbers.reshape(-1, header.blocks, len(classes))
        return cls(
            paths=[cells["path"] for cells, _ in rows],
            patients=[cells["patient"] for cells, _ in rows],
            labels=[cells["label"] for cells, _ in rows],
            targets=np.array([classes.index(cells["target"]) for cells, _ in rows], dtype=np.int64),
            probabilities=numbers[:, 0],
            classes=classes,
            sources=[cells["source"] for cells, _ in rows] if "source" in header.fixed else (),
            calibrated=numbers[:, 1] if header.blocks > 1 else None,
        )


def calibrate(
    probabilities: npt.NDArray[np.float64], temperature: float | None
) -> npt.NDArray[np.float64]:
    """Return probabilities at a temperature; None leaves every digit unchanged.

    Args:
        probabilities: (N, K), rows summing to 1.
        temperature: Positive number that divides the logits.
    """
    # scipy, which is not needed to read predictions.
    from xray.stats.calibration import apply_temperature

    return probabilities if temperature is None else apply_temperature(probabilities, temperature)


def _malformed(path: Path, line: int, problem: str) -> RunError:
    advice = "Write the file again with `python -m xray.evaluate`."
    return RunError(f"{path}, line {line}: {problem}. {advice}")


class _Header(NamedTuple):
    """Columns of a file: fixed ones, and one or two blocks of one column per class."""

    fixed: tuple[str, ...]
    classes: tuple[str, ...]
    blocks: int


def _read_header(header: Sequence[str], path: Path) -> _Header:
    fixed = _FIXED if "source" in header[: len(_FIXED)] else _OLDER
    columns = list(header[len(fixed) :])
    half = len(columns) // 2
    classes = tuple(name.removeprefix(_PREFIX) for name in columns)
    blocks = 1
    if columns[half:] == [_CALIBRATED + name for name in classes[:half]]:
        classes, blocks = classes[:half], 2
    sound = tuple(header[: len(fixed)]) == fixed and len(classes) >= _MIN_CLASSES
    if not sound or columns[: len(classes)] != [_PREFIX + name for name in classes]:
        expected = f"{','.join(_FIXED)},{_PREFIX}<class>,{_PREFIX}<class>..."
        raise _malformed(path, 1, f"the columns are {','.join(header)!r}, not {expected}")
    return _Header(fixed, classes, blocks)


def _read_row(
    row: Sequence[str], header: _Header, path: Path, line: int
) -> tuple[dict[str, str], list[float]]:
    fixed, classes, blocks = header
    numbers = row[len(fixed) :]
    if len(numbers) != blocks * len(classes):
        expected = len(fixed) + blocks * len(classes)
        raise _malformed(path, line, f"{len(row)} fields where {expected} are expected")
    cells = dict(zip(fixed, row, strict=False))
    for name in (cells["target"], cells["predicted"]):
        if name not in classes:
            raise _malformed(path, line, f"{name!r} is none of the classes {', '.join(classes)}")
    return cells, [_read_probability(text, path, line) for text in numbers]


def _read_probability(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise _malformed(path, line, f"{text!r} is not a probability in [0, 1]")
    return value
