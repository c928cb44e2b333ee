"""What a network said of each image of a split, in memory and as CSV."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xray.errors import RunError
from xray.integrity.verdict import UNAUDITED
from xray.stats.rule import EVEN
from xray.stats.scores import predict_classes

_FIXED = ("path", "patient", "label", "source", "target", "predicted")
_OLDER = tuple(name for name in _FIXED if name != "source")
"""Of before sources were written."""

_PREFIX = "p_"
_MIN_CLASSES = 2


# Without equality: the arrays in it have no single truth value.
@dataclass(frozen=True, eq=False)
class Predictions:
    """A split's images, their truth, and the probabilities given to each class.

    Attributes:
        paths: N files.
        patients: N patients.
        labels: N names of the folders that the images lie in, before grouping ("COVID-19").
        targets: (N,) int64, indices into `classes`.
        probabilities: (N, K) float64 in [0, 1], rows summing to 1.
        classes: K names, in the order of the network's outputs.
        verdict: What the split is worth, see `xray.integrity.verdict`; no part of the CSV.
        threshold: With two classes, above which probability the second is predicted.
        sources: N names of the datasets that the images were taken from, "" where nothing tells;
            or none at all.
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

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """(N,) int64, the predicted class of each image at `threshold`."""
        return predict_classes(self.probabilities, self.threshold)

    def to_csv(self, path: Path) -> None:
        """Write one line an image: path, patient, label, source, target, predicted, p_<class>...

        Floats are written in full, so that `from_csv` gives back the same numbers; the threshold
        is not written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = zip(
            self.paths,
            self.patients,
            self.labels,
            self.sources or [""] * len(self.paths),
            [self.classes[k] for k in self.targets],
            [self.classes[k] for k in self.predicted],
            self.probabilities.tolist(),
            strict=True,
        )
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file)
            writer.writerow([*_FIXED, *(_PREFIX + name for name in self.classes)])
            writer.writerows([*fixed, *probabilities] for *fixed, probabilities in rows)

    @classmethod
    def from_csv(cls, path: Path) -> "Predictions":
        """Read what `to_csv` wrote.

        Raises:
            RunError: The file is missing, or a line is not as expected; names file and line.
        """
        try:
            with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
                reader = csv.reader(file, strict=True)
                fixed, classes = _read_header(next(reader, []), path)
                rows = [_read_row(row, fixed, classes, path, reader.line_num) for row in reader]
        except OSError as error:
            reason = f"{path} cannot be opened ({error.strerror})"
            raise RunError(f"{reason}. Write it with `python -m xray.evaluate`.") from error
        except csv.Error as error:
            raise _malformed(path, reader.line_num, str(error)) from error
        return cls(
            paths=[cells["path"] for cells, _ in rows],
            patients=[cells["patient"] for cells, _ in rows],
            labels=[cells["label"] for cells, _ in rows],
            targets=np.array([classes.index(cells["target"]) for cells, _ in rows], dtype=np.int64),
            probabilities=np.array([p for _, p in rows], dtype=np.float64).reshape(
                -1, len(classes)
            ),
            classes=classes,
            sources=[cells["source"] for cells, _ in rows] if "source" in fixed else (),
        )


def _malformed(path: Path, line: int, problem: str) -> RunError:
    advice = "Write the file anew with `python -m xray.evaluate`."
    return RunError(f"{path}, line {line}: {problem}. {advice}")


def _read_header(header: Sequence[str], path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    fixed = _FIXED if "source" in header[: len(_FIXED)] else _OLDER
    columns = tuple(header[len(fixed) :])
    sound = tuple(header[: len(fixed)]) == fixed and len(columns) >= _MIN_CLASSES
    if not sound or not all(column.startswith(_PREFIX) for column in columns):
        expected = f"{','.join(_FIXED)},{_PREFIX}<class>,{_PREFIX}<class>..."
        raise _malformed(path, 1, f"the columns are {','.join(header)!r}, not {expected}")
    return fixed, tuple(column.removeprefix(_PREFIX) for column in columns)


def _read_row(
    row: Sequence[str], fixed: tuple[str, ...], classes: tuple[str, ...], path: Path, line: int
) -> tuple[dict[str, str], list[float]]:
    numbers = row[len(fixed) :]
    if len(numbers) != len(classes):
        expected = len(fixed) + len(classes)
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
