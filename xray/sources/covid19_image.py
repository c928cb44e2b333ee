"""The COVID-19 Image Dataset: small, in three classes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.sources.base import About, Item
from xray.sources.download import obtain_kaggle
from xray.sources.listing import find_folder, images_in
from xray.types import Split

_SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True, slots=True)
class Covid19Image:
    """A few hundred images, in its own train/ and test/.

    Args:
        path: A local archive or folder; None: from Kaggle.
    """

    about: ClassVar = About(
        title="Covid-19 Image Dataset (Raikote)",
        page="https://www.kaggle.com/datasets/pranavraikokte/covid19-image-dataset",
        licence="CC BY-SA 4.0",
        citation="Raikote P. Covid-19 Image Dataset: 3 way classification. Kaggle, 2020, from "
        "images collected by the University of Montreal.",
        size="317 images, 0.2 GB",
        patients="Not told: every image counts as a patient, though some names (auntminnie-a-, "
        "-b-, ...) show several images of one.",
        classes={"Normal": "normal", "Viral Pneumonia": "pneumonia", "Covid": "covid"},
    )

    path: str | None = None

    def open(self, downloads: Path, work: Path) -> Path:
        """See `Source.open`."""
        return obtain_kaggle("pranavraikokte/covid19-image-dataset", self.path, self.about, work)

    def items(self, root: Path) -> Iterator[Item]:
        """List train/ and test/."""
        top = find_folder(root, _SPLITS, self.about.page)
        for split in _SPLITS:
            for label in self.about.classes:
                for path in images_in(top / split / label):
                    yield Item(path, label, split=split)
