"""COVID-19 Image Dataset (Raikote): a small dataset of three classes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.sources.base import About, Item
from xray.sources.download import obtain_kaggle
from xray.sources.files import find_folder, images_in
from xray.types import Split

_SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True, slots=True)
class Covid19Image:
    """COVID-19 Image Dataset, with its own split into train and test.

    Args:
        path: Local archive or folder; None: download from Kaggle.
    """

    about: ClassVar = About(
        title="Covid-19 Image Dataset (Raikote)",
        page="https://www.kaggle.com/datasets/pranavraikokte/covid19-image-dataset",
        license="CC BY-SA 4.0",
        citation="Raikote P. Covid-19 Image Dataset: 3 way classification. Kaggle, 2020, from "
        "images collected by the University of Montreal.",
        size="317 images, 0.2 GB",
        patients="Unknown: each image counts as one patient, although some names (auntminnie-a-, "
        "-b-, ...) belong to one person.",
        classes={"Normal": "normal", "Viral Pneumonia": "pneumonia", "Covid": "covid"},
    )

    path: str | None = None

    def open(self, downloads: Path, work: Path) -> Path:
        """Return the folder of the dataset; see `Source.open`."""
        return obtain_kaggle("pranavraikokte/covid19-image-dataset", self.path, self.about, work)

    def items(self, root: Path) -> Iterator[Item]:
        """List the images in train/ and test/."""
        top = find_folder(root, _SPLITS, self.about.page)
        for split in _SPLITS:
            for label in self.about.classes:
                for path in images_in(top / split / label):
                    yield Item(path, label, split=split)
