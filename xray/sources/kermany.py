"""Pediatric pneumonia (Kermany et al. 2018)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.sources.base import About, Item
from xray.sources.download import obtain_kaggle
from xray.sources.files import find_folder, images_in
from xray.types import Split

# Bacterial and viral cases are numbered separately.
_PATIENT = re.compile(r"^(?:person\d+(?:_(?:bacteria|virus))?|(?:NORMAL2-)?IM-\d+)", re.IGNORECASE)
# val/ has only 16 images, too few for model selection.
_SPLITS: dict[str, Split] = {"train": "train", "val": "train", "test": "test"}


@dataclass(frozen=True, slots=True)
class Kermany:
    """Children aged one to five, from Guangzhou, with the authors' split into train and test.

    Args:
        path: Local archive or folder; None: download from Kaggle.
    """

    about: ClassVar = About(
        title="Chest X-Ray Images (Pneumonia), Kermany et al.",
        page="https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia",
        license="CC BY 4.0",
        citation="Kermany DS, Zhang K, Goldbaum M. Labeled Optical Coherence Tomography (OCT) and "
        "Chest X-Ray Images for Classification. Mendeley Data v2, 2018. "
        "https://doi.org/10.17632/rscbjbr9sj.2",
        size="5,856 images, 2.3 GB",
        patients="The start of names such as person100_bacteria_475, IM-0115-0001 and "
        "NORMAL2-IM-0373-0001; bacterial and viral cases are numbered separately.",
        classes={"NORMAL": "normal", "PNEUMONIA": "pneumonia"},
    )

    path: str | None = None

    def open(self, downloads: Path, work: Path) -> Path:
        """Return the folder of the dataset; see `Source.open`."""
        return obtain_kaggle("paultimothymooney/chest-xray-pneumonia", self.path, self.about, work)

    def items(self, root: Path) -> Iterator[Item]:
        """List train/ (including val/) and test/, without the second copy in the archive."""
        top = find_folder(root, ("train", "test"), self.about.page)
        for folder, split in _SPLITS.items():
            for label in self.about.classes:
                for path in images_in(top / folder / label):
                    match = _PATIENT.match(path.stem)
                    patient = match[0].lower() if match else None
                    yield Item(path, label, patient=patient, split=split)
