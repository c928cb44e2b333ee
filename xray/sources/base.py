"""What every source of images tells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from xray.types import Split


@dataclass(frozen=True, slots=True)
class About:
    """What a person should know of a dataset before using it.

    Attributes:
        title: Its full name.
        page: Where it is described and, mostly, downloaded.
        licence: Under which it is given.
        citation: What to cite.
        size: How many images, how many bytes.
        patients: How its patients are told apart, and where that fails.
        classes: Label -> folder name of `data.groups` that it means. A label stands for those
            below it ("Pneumonia" for "Pneumonia/Viral"), unless they are listed themselves; one
            that is not covered is left out. Empty: every label means itself.
    """

    title: str
    page: str
    licence: str
    citation: str
    size: str
    patients: str
    classes: Mapping[str, str] = field(default_factory=dict)

    def meaning(self, label: str) -> str | None:
        """Find what a label means; None where the dataset's classes do not cover it."""
        if not self.classes:
            return label
        while label not in self.classes:
            label, _, last = label.rpartition("/")
            if not last:
                return None
        return self.classes[label]


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a source, before anything is chosen or read.

    Attributes:
        path: The file.
        label: What the source says that it shows.
        patient: Whose image it is, unique in the source; None: not told.
        view: Of the X-ray tube; None: not told.
        split: In the source's own split; None where it has none.
        masks: Kind ("lung", "lesion") -> file of the mask.
        meaning: A folder name of `data.groups`, where the source knows better than its label.
        name: What the file is called in the tree, but for its ending; None: as it is.
    """

    path: Path
    label: str
    patient: str | None = None
    view: str | None = None
    split: Split | None = None
    masks: Mapping[str, Path] = field(default_factory=dict)
    meaning: str | None = None
    name: str | None = None


class Source(Protocol):
    """A dataset: instances hold where it lies and what of it is wanted.

    Attributes:
        about: Facts and terms.
    """

    about: ClassVar[About]

    def open(self, downloads: Path, work: Path) -> Path:
        """Find, fetch or unpack the dataset.

        Args:
            downloads: Where a downloaded archive is kept.
            work: Where it may be unpacked; removed when the tree is complete.

        Returns:
            The folder that `items` takes.

        Raises:
            XrayError: It is not to be had; the message names the page to download it from.
        """
        ...

    def items(self, root: Path) -> Iterator[Item]:
        """List the images.

        Raises:
            DataError: `root` is not laid out as this dataset is.
        """
        ...
