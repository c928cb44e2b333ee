"""Phantoms: drawn radiographs with masks of lungs and lesions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xray.phantom.tree import write_phantom_tree
from xray.sources.base import About, Item
from xray.sources.folder import Folder
from xray.types import Split


@dataclass(frozen=True, slots=True)
class Phantom:
    """Phantoms, drawn without a download.

    Args:
        patients: Split -> number of patients.
        views: Images per patient.
        size: Side of the images, pixels.
        drawing_seed: Seed of the drawings.
    """

    about: ClassVar = About(
        title="Chest X-ray phantoms",
        page="xray.phantom.draw",
        license="MIT, like xray",
        citation="none needed",
        size="any",
        patients="The number in patient0012_01; no patient is in two splits.",
        classes={"normal": "normal", "pneumonia": "pneumonia", "covid": "covid"},
    )

    patients: Mapping[Split, int]
    views: int
    size: int
    drawing_seed: int

    def open(self, downloads: Path, work: Path) -> Path:
        """Draw the phantoms."""
        write_phantom_tree(
            work / "phantoms",
            patients=self.patients,
            views=self.views,
            size=self.size,
            seed=self.drawing_seed,
        )
        return work / "phantoms"

    def items(self, root: Path) -> Iterator[Item]:
        """List the phantoms."""
        return Folder(str(root)).items(root)
