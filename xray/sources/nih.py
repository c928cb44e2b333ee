"""NIH ChestX-ray14, or a subset with a table of the same columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.data.table import read_table
from xray.errors import DataError
from xray.sources.base import About, Item
from xray.sources.download import obtain_kaggle
from xray.sources.files import find_folder, images_in
from xray.types import Split

_TABLES = ("Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv")
_COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "View Position")
_TEST = "test_list.txt"


@dataclass(frozen=True, slots=True)
class Nih:
    """Adults, with a table of findings and images in one or several folders.

    Args:
        path: Local archive or folder; None: download all 42 GB from Kaggle.
    """

    about: ClassVar = About(
        title="NIH ChestX-ray14",
        page="https://www.kaggle.com/datasets/nih-chest-xrays/data",
        license="free use, with acknowledgment of the NIH Clinical Center and the citation",
        citation="Wang X et al. ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks on "
        "Weakly-Supervised Classification and Localization of Common Thorax Diseases. CVPR 2017.",
        size="112,120 images (of these 1,431 of pneumonia), 42 GB",
        patients="Column Patient ID. Labels are text-mined from reports: about one in ten is "
        "wrong.",
        classes={"No Finding": "normal", "Pneumonia": "pneumonia"},
    )

    path: str | None = None

    def open(self, downloads: Path, work: Path) -> Path:
        """Return the folder of the dataset; see `Source.open`."""
        return obtain_kaggle("nih-chest-xrays/data", self.path, self.about, work)

    def items(self, root: Path) -> Iterator[Item]:
        """List the rows of the table; pneumonia with other findings counts as pneumonia."""
        top, table = self._table(root)
        files = {path.name: path for path in images_in(top)}
        has_split = (top / _TEST).is_file()
        test = set((top / _TEST).read_text().split()) if has_split else set()
        for _, row in read_table(table, _COLUMNS).rows:
            name, label = row["Image Index"], row["Finding Labels"]
            split: Split = "test" if name in test else "train"
            yield Item(
                files.get(name, top / Path(name).name),
                label,
                patient=row["Patient ID"] or None,
                view=row["View Position"] or None,
                split=split if has_split else None,
                folder_name="pneumonia" if "Pneumonia" in label.split("|") else None,
            )

    def _table(self, root: Path) -> tuple[Path, Path]:
        for name in _TABLES:
            try:
                top = find_folder(root, (name,), self.about.page)
            except DataError:
                continue
            return top, top / name
        raise DataError(
            f"{root} contains no {_TABLES[0]}. It is part of the download from {self.about.page}. "
            "Pass path=<the folder with this table and the images>."
        )
