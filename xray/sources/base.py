"""Interface of a dataset source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from xray.types import Split


@dataclass(frozen=True, slots=True)
class About:
    """Description and terms of a dataset.

    Attributes:
        title: Full name.
        page: Where the dataset is described and, in most cases, downloaded.
        license: Name of the license, or a summary of the terms.
        citation: Publication to cite.
        size: Number of images and bytes.
        patients: How patients are identified, and limitations of that.
        classes: Label -> folder name in `data.groups`. A label includes those below it ("Pneumonia"
            includes "Pneumonia/Viral") unless they are listed themselves; images with other labels
            are left out. Empty: each label is its own folder name.
    """

    title: str
    page: str
    license: str
    citation: str
    size: str
    patients: str
    classes: Mapping[str, str] = field(default_factory=dict)

    def folder_name(self, label: str) -> str | None:
        """Return the folder name of a label; None if `classes` does not include it."""
        if not self.classes:
            return label
        while label not in self.classes:
            label, _, last = label.rpartition("/")
            if not last:
                return None
        return self.classes[label]


@dataclass(frozen=True, slots=True)
class Item:
    """One image that a source lists.

    Attributes:
        path: The file.
        label: Label in the source.
        patient: Patient ID, unique in the source; None if unknown.
        view: View position ("PA", "AP"); None if unknown.
        split: Split in the source; None if it has none.
        masks: Kind of mask ("lung", "lesion") -> mask file.
        folder_name: Folder name in `data.groups`, if it does not follow from the label.
        name: File name in the prepared dataset, without suffix; None: the original name.
    """

    path: Path
    label: str
    patient: str | None = None
    view: str | None = None
    split: Split | None = None
    masks: Mapping[str, Path] = field(default_factory=dict)
    folder_name: str | None = None
    name: str | None = None


class Source(Protocol):
    """A dataset; instances hold its location and options.

    Attributes:
        about: Description and terms.
    """

    about: ClassVar[About]

    def open(self, downloads: Path, work: Path) -> Path:
        """Find, download or unpack the dataset.

        Args:
            downloads: Folder in which downloaded archives are stored.
            work: Folder for unpacked files; deleted when the dataset has been prepared.

        Returns:
            The folder that is passed to `items`.

        Raises:
            XrayError: The dataset is not available; the message names its download page.
        """
        ...

    def items(self, root: Path) -> Iterator[Item]:
        """List the images.

        Raises:
            DataError: `root` does not have the layout of this dataset.
        """
        ...
