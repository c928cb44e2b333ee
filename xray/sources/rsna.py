"""RSNA Pneumonia Detection Challenge (2018)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.data.table import read_table
from xray.sources.base import About, Item
from xray.sources.download import obtain_kaggle
from xray.sources.files import find_folder

_IMAGES = "stage_2_train_images"
_CLASSES = "stage_2_detailed_class_info.csv"
_LABELS = "stage_2_train_labels.csv"


@dataclass(frozen=True, slots=True)
class Rsna:
    """Frontal radiographs of ChestX-ray14, relabeled by radiologists.

    The test images have no published labels and are not listed. The DICOM files are written as
    PNG, without their headers.

    Args:
        path: Local archive or folder; None: download from Kaggle, where the rules of the challenge
            must be accepted first.
    """

    about: ClassVar = About(
        title="RSNA Pneumonia Detection Challenge (2018)",
        page="https://www.kaggle.com/competitions/rsna-pneumonia-detection-challenge/data",
        license="rules of the challenge: non-commercial research and education",
        citation="Shih G et al. Augmenting the National Institutes of Health Chest Radiograph "
        "Dataset with Expert Annotations of Possible Pneumonia. Radiology: Artificial "
        "Intelligence 1(1):e180041, 2019.",
        size="26,684 labeled images, 4 GB",
        patients="Unknown: each image counts as one patient. patientId is a random number per "
        "image, although some images are of the same person.",
        classes={"Normal": "normal", "Lung Opacity": "pneumonia"},
    )

    path: str | None = None

    def open(self, downloads: Path, work: Path) -> Path:
        """Return the folder of the dataset; see `Source.open`."""
        name = "rsna-pneumonia-detection-challenge"
        return obtain_kaggle(name, self.path, self.about, work, competition=True)

    def items(self, root: Path) -> Iterator[Item]:
        """List the table of classes, or else the table of boxes (target 1 is an opacity)."""
        top = find_folder(root, (_IMAGES,), self.about.page)
        for name, label in self._labels(top).items():
            path = top / _IMAGES / f"{Path(name).name}.dcm"
            yield Item(path, label)

    def _labels(self, top: Path) -> dict[str, str]:
        """Return the class of each image; the tables have one row per box."""
        if (top / _CLASSES).is_file():
            classes = read_table(top / _CLASSES, ("patientId", "class"))
            return {row["patientId"]: row["class"] for _, row in classes.rows}
        boxes = read_table(top / _LABELS, ("patientId", "Target"))
        # Target 0 is "Normal" or "No Lung Opacity / Not Normal"; only the other table
        # distinguishes them.
        return {
            row["patientId"]: "Lung Opacity" if row["Target"] == "1" else "No Lung Opacity"
            for _, row in boxes.rows
        }
