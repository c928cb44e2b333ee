"""Images that a table lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.errors import DataError
from xray.sources.base import About, Item
from xray.sources.download import obtain_local
from xray.sources.listing import read_table
from xray.types import SPLITS, Split

_NAME = "manifest.csv"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A CSV file with the columns path and label, and maybe class, patient, view and split.

    Patients are numbered anew in the order of the table, so that a hospital's numbers stay where
    they are. Class, where there is one, decides in place of label.

    Args:
        path: The CSV file, or a folder or archive that holds manifest.csv. The paths in it count
            from where it lies.
    """

    about: ClassVar = About(
        title="A table of your own",
        page="the table given as path=",
        licence="that of your images: note it here",
        citation="that of your images: note it here",
        size="as it is",
        patients="The column patient, numbered anew; an empty one counts as a patient.",
    )

    path: str

    def open(self, downloads: Path, work: Path) -> Path:
        """Find the table itself."""
        place = Path(self.path).expanduser()
        if place.suffix.lower() == ".csv" and place.is_file():
            return place
        table = obtain_local(self.path, work) / _NAME
        if not table.is_file():
            raise DataError(f"{place} holds no {_NAME}. Pass path=<the CSV file>.")
        return table

    def items(self, root: Path) -> Iterator[Item]:
        """List the table `root`."""
        numbers: dict[str, str] = {}
        for number, line in enumerate(read_table(root, ("path", "label")), start=2):
            name = line.get("patient")
            if name:
                name = numbers.setdefault(name, f"patient{len(numbers) + 1:05d}")
            yield Item(
                root.parent / line["path"],
                line["label"],
                patient=name or None,
                view=line.get("view") or None,
                split=_split(root, number, line.get("split")),
                meaning=line.get("class") or None,
            )


def _split(table: Path, number: int, name: str | None) -> Split | None:
    if not name:
        return None
    for split in SPLITS:
        if name.lower() == split:
            return split
    raise DataError(
        f"{table}, line {number}: the split is {name!r}. Write {', '.join(SPLITS)}, or nothing."
    )
