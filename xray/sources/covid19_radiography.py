"""COVID-19 Radiography Database, with lung masks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.sources.base import About, Item
from xray.sources.download import obtain_kaggle
from xray.sources.files import find_folder, images_in


@dataclass(frozen=True, slots=True)
class Covid19Radiography:
    """COVID-19 Radiography Database: four classes, images of 299 px, lung masks of 256 px.

    Args:
        path: Local archive or folder; None: download from Kaggle.
    """

    about: ClassVar = About(
        title="COVID-19 Radiography Database (Qatar University, University of Dhaka)",
        page="https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
        license="its authors' own terms, see the page; collected from datasets with other licenses",
        citation="Chowdhury MEH et al. Can AI help in screening viral and COVID-19 pneumonia? IEEE "
        "Access 8:132665, 2020. Rahman T et al. Exploring the effect of image enhancement "
        "techniques on COVID-19 detection using chest X-ray images. Computers in Biology and "
        "Medicine 132:104319, 2021.",
        size="21,165 images with lung masks, 0.8 GB",
        patients="Unknown: each image counts as one patient. The viral pneumonia and some normal "
        "images are from kermany, some COVID-19 images from covid_chestxray.",
        classes={
            "Normal": "normal",
            "Viral Pneumonia": "pneumonia",
            "Lung_Opacity": "pneumonia",
            "COVID": "covid",
        },
    )

    path: str | None = None

    def open(self, downloads: Path, work: Path) -> Path:
        """Return the folder of the dataset; see `Source.open`."""
        handle = "tawsifurrahman/covid19-radiography-database"
        return obtain_kaggle(handle, self.path, self.about, work)

    def items(self, root: Path) -> Iterator[Item]:
        """List <class>/images and <class>/masks; first versions have the images in <class>."""
        top = find_folder(root, ("COVID", "Normal", "Viral Pneumonia"), self.about.page)
        for label in self.about.classes:
            inner = top / label / "images"
            for path in images_in(inner if inner.is_dir() else top / label):
                mask = top / label / "masks" / path.name
                yield Item(path, label, masks={"lung": mask} if mask.is_file() else {})
