"""Drawn radiographs, with masks of lungs and lesions."""

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
    """Drawings: no download, no patients.

    Args:
        patients: How many each split has.
        views: Images of one patient.
        size: Side of the drawings, pixels.
        drawing_seed: Of the drawing.
    """

    about: ClassVar = About(
        title="Chest X-ray phantoms",
        page="xray.phantom.draw",
        licence="MIT, as xray",
        citation="none needed",
        size="as many as asked for",
        patients="The number in patient0012_01; none is in two splits.",
        classes={"normal": "normal", "pneumonia": "pneumonia", "covid": "covid"},
    )

    patients: Mapping[Split, int]
    views: int
    size: int
    drawing_seed: int

    def open(self, downloads: Path, work: Path) -> Path:
        """Draw them."""
        write_phantom_tree(
            work / "phantoms",
            patients=self.patients,
            views=self.views,
            size=self.size,
            seed=self.drawing_seed,
        )
        return work / "phantoms"

    def items(self, root: Path) -> Iterator[Item]:
        """List the drawings."""
        return Folder(str(root)).items(root)
