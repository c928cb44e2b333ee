"""Count what a table of predictions contains."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from xray.prediction.overlays import Request
from xray.prediction.table import PREFIX

LISTED = 20
"""Unreadable files and files with warnings that the page lists; the table contains all."""

Row = Mapping[str, str]


@dataclass
class Summary:
    """Counts of a table of predictions.

    Attributes:
        classes: K class names.
        predicted: Class -> number of images.
        errors: Number of unreadable files.
        warned: Number of images with warnings.
        unreadable: Path and reason of the first unreadable files.
        unusual: Path and warnings of the first images with warnings.
    """

    classes: Sequence[str]
    predicted: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    warned: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    unusual: list[tuple[str, str]] = field(default_factory=list)

    @property
    def images(self) -> int:
        """Number of files, readable or not."""
        return self.errors + self.predicted.total()

    def sentence(self) -> str:
        """Return the counts as a sentence."""
        counts = [f"{self.predicted[name]:,} {name}" for name in self.classes]
        counts += [f"{self.errors:,} unreadable"] if self.errors else []
        warned = f" {self.warned:,} have warnings." if self.warned else ""
        return f"{self.images:,} images: {', '.join(counts)}.{warned}"

    def add(self, row: Row) -> None:
        """Count a row of the table."""
        if row["error"]:
            self.errors += 1
            if len(self.unreadable) < LISTED:
                self.unreadable.append((row["path"], row["error"]))
            return
        self.predicted[row["predicted"]] += 1
        if row["warnings"]:
            self.warned += 1
            if len(self.unusual) < LISTED:
                self.unusual.append((row["path"], row["warnings"]))


def summarize(rows: Iterable[Row], classes: Sequence[str]) -> Summary:
    """Count the rows of a table."""
    summary = Summary(classes)
    for row in rows:
        summary.add(row)
    return summary


def choose_overlays(
    rows: Iterable[Row], count: int | Literal["all", "none"], classes: Sequence[str]
) -> Iterator[Request]:
    """Choose the images to explain.

    Args:
        rows: The rows of the table.
        count: "all" readable images, "none", or the number of images with the highest probability
            of a class other than the first, which is the negative class.
        classes: K class names.

    Returns:
        Requests, the highest probability first; with "all" in the order of the table.
    """
    if count == "none":
        return iter(())
    readable = ((i, row) for i, row in enumerate(rows) if not row["error"])
    if count == "all":
        return (_request(i, row) for i, row in readable)
    negative = PREFIX + classes[0]
    chosen = heapq.nsmallest(count, readable, key=lambda item: (float(item[1][negative]), item[0]))
    return islice((_request(i, row) for i, row in chosen), count)


def _request(position: int, row: Row) -> Request:
    return Request(position, Path(row["path"]), row["predicted"])
