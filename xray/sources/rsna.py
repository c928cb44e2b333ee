"""RSNA Pneumonia Detection Challenge 2018: DICOM files and tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.sources.base import About, Item
from xray.sources.download import obtain_kaggle
from xray.sources.listing import find_folder, read_table

_IMAGES = "stage_2_train_images"
_CLASSES = "stage_2_detailed_class_info.csv"
_LABELS = "stage_2_train_labels.csv"


@dataclass(frozen=True, slots=True)
class Rsna:
    """Adults' frontal radiographs of ChestX-ray14, read anew by radiologists.

    Its test images have no published labels, so they are not listed. Images are written as PNG:
    what a DICOM header says of a person stays behind.

    Args:
        path: A local archive or folder; None: from Kaggle, where the challenge's rules must be
            accepted before.
    """

    about: ClassVar = About(
        title="RSNA Pneumonia Detection Challenge (2018)",
        page="https://www.kaggle.com/competitions/rsna-pneumonia-detection-challenge/data",
        licence="the challenge's rules: non-commercial research and education",
        citation="Shih G et al. Augmenting the National Institutes of Health Chest Radiograph "
        "Dataset with Expert Annotations of Possible Pneumonia. Radiology: Artificial "
        "Intelligence 1(1):e180041, 2019.",
        size="26,684 labelled images, 4 GB",
        patients="patientId is a random number of each image; that some are of one person is not "
        "told.",
        classes={"Normal": "normal", "Lung Opacity": "pneumonia"},
    )

    path: str | None = None

    def open(self, downloads: Path, work: Path) -> Path:
        """See `Source.open`."""
        name = "rsna-pneumonia-detection-challenge"
        return obtain_kaggle(name, self.path, self.about, work, competition=True)

    def items(self, root: Path) -> Iterator[Item]:
        """List the table of classes; without it, that of boxes, whose target 1 is an opacity."""
        top = find_folder(root, (_IMAGES,), self.about.page)
        for name, label in self._labels(top).items():
            path = top / _IMAGES / f"{Path(name).name}.dcm"
            yield Item(path, label)

    def _labels(self, top: Path) -> dict[str, str]:
        """Give each image its class; the tables have a line for every box."""
        if (top / _CLASSES).is_file():
            lines = read_table(top / _CLASSES, ("patientId", "class"))
            return {line["patientId"]: line["class"] for line in lines}
        lines = read_table(top / _LABELS, ("patientId", "Target"))
        # Target 0 is "Normal" or "No Lung Opacity / Not Normal", which only the other table tells.
        return {
            line["patientId"]: "Lung Opacity" if line["Target"] == "1" else "No Lung Opacity"
            for line in lines
        }
