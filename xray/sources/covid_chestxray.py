"""Cohen et al. 2020: COVID-19 and other pneumonia from publications and websites."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.sources.base import About, Item
from xray.sources.download import obtain_url
from xray.sources.listing import find_folder, read_table

_URL = "https://github.com/ieee8023/covid-chestxray-dataset/archive/refs/heads/master.zip"
_COLUMNS = ("patientid", "finding", "view", "folder", "filename")


@dataclass(frozen=True, slots=True)
class CovidChestxray:
    """Radiographs and some CT of several hundred patients, with a table of what is known of each.

    Of that table only patient, view and finding are taken over, never age, sex, place, date or
    notes.

    Args:
        path: A local archive or folder; None: from GitHub.
        views: Those kept; the default ones are frontal radiographs.
    """

    about: ClassVar = About(
        title="covid-chestxray-dataset (Cohen et al.)",
        page="https://github.com/ieee8023/covid-chestxray-dataset",
        licence="each image its own, in metadata.csv (CC BY, CC BY-SA, CC BY-NC-SA and others); "
        "the metadata CC BY-NC-SA 4.0",
        citation="Cohen JP, Morrison P, Dao L. COVID-19 Image Data Collection: Prospective "
        "Predictions Are the Future. Journal of Machine Learning for Biomedical Imaging, 2020. "
        "arXiv:2006.11988",
        size="about 950 images, 0.6 GB",
        patients="patientid of metadata.csv.",
        classes={
            "No Finding": "normal",
            "Pneumonia": "pneumonia",
            "Pneumonia/Viral/COVID-19": "covid",
        },
    )

    path: str | None = None
    views: Sequence[str] = ("PA", "AP", "AP Supine")

    def open(self, downloads: Path, work: Path) -> Path:
        """See `Source.open`."""
        return obtain_url(_URL, self.path, self.about, downloads, work)

    def items(self, root: Path) -> Iterator[Item]:
        """List what metadata.csv lists in the views wanted."""
        top = find_folder(root, ("metadata.csv", "images"), self.about.page)
        for line in read_table(top / "metadata.csv", _COLUMNS):
            if line["view"] in self.views:
                # A name alone cannot lead out of the folder.
                yield Item(
                    top / Path(line["folder"]).name / Path(line["filename"]).name,
                    line["finding"],
                    patient=line["patientid"] or None,
                    view=line["view"],
                )
