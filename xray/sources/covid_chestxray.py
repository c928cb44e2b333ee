"""COVID-19 Image Data Collection (Cohen et al. 2020)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.data.table import read_table
from xray.sources.base import About, Item
from xray.sources.download import obtain_url
from xray.sources.files import find_folder

_URL = "https://github.com/ieee8023/covid-chestxray-dataset/archive/refs/heads/master.zip"
_COLUMNS = ("patientid", "finding", "view", "folder", "filename")


@dataclass(frozen=True, slots=True)
class CovidChestxray:
    """COVID-19 and other pneumonia, from publications and websites.

    Only patient ID, view and finding are read from its table; age, sex, place, date and notes are
    not.

    Args:
        path: Local archive or folder; None: download from GitHub.
        views: View positions to include; the default is frontal radiographs.
    """

    about: ClassVar = About(
        title="covid-chestxray-dataset (Cohen et al.)",
        page="https://github.com/ieee8023/covid-chestxray-dataset",
        license="per image, see metadata.csv (CC BY, CC BY-SA, CC BY-NC-SA and others); "
        "metadata: CC BY-NC-SA 4.0",
        citation="Cohen JP, Morrison P, Dao L. COVID-19 Image Data Collection: Prospective "
        "Predictions Are the Future. Journal of Machine Learning for Biomedical Imaging, 2020. "
        "arXiv:2006.11988",
        size="about 950 images, 0.6 GB",
        patients="Column patientid of metadata.csv.",
        classes={
            "No Finding": "normal",
            "Pneumonia": "pneumonia",
            "Pneumonia/Viral/COVID-19": "covid",
        },
    )

    path: str | None = None
    views: Sequence[str] = ("PA", "AP", "AP Supine")

    def open(self, downloads: Path, work: Path) -> Path:
        """Return the folder of the dataset; see `Source.open`."""
        return obtain_url(_URL, self.path, self.about, downloads, work)

    def items(self, root: Path) -> Iterator[Item]:
        """List the rows of metadata.csv with the requested views."""
        top = find_folder(root, ("metadata.csv", "images"), self.about.page)
        for _, row in read_table(top / "metadata.csv", _COLUMNS).rows:
            if row["view"] in self.views:
                # A name alone cannot lead out of the folder.
                yield Item(
                    top / Path(row["folder"]).name / Path(row["filename"]).name,
                    row["finding"],
                    patient=row["patientid"] or None,
                    view=row["view"],
                )
