"""All images of a dataset, and the split of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xray.data.describe import describe_images
from xray.data.extraneous import find_outside
from xray.data.folder import XrayFolder
from xray.data.groups import Groups
from xray.data.layout import find_layout
from xray.data.manifest import MANIFEST
from xray.data.patients import PatientRule
from xray.errors import DataError
from xray.integrity.findings import Finding, Placed
from xray.types import Sample, Split


@dataclass(frozen=True)
class Collection:
    """All images of a dataset.

    Attributes:
        root: Data root.
        samples: N images.
        splits: Split of each of the N images. Images of a flat root are all in "train".
        given: Splits that the dataset provides.
        extraneous: Findings about files that are not used as images.
    """

    root: Path
    samples: list[Sample]
    splits: list[Split]
    given: frozenset[Split]
    extraneous: tuple[Finding, ...] = ()

    def joining(self, split: Split) -> "Collection":
        """Return the collection with the images of a split moved to "train"."""
        splits: list[Split] = ["train" if name == split else name for name in self.splits]
        return replace(self, splits=splits, given=self.given - {split})

    def only(self, indices: list[int]) -> "Collection":
        """Return the collection of the images with the given indices."""
        return replace(
            self,
            samples=[self.samples[i] for i in indices],
            splits=[self.splits[i] for i in indices],
        )

    def placed(self, classes: Sequence[str]) -> Placed:
        """Return the images with their splits, for the search of overlaps and other problems."""
        return Placed(self.samples, self.splits, self.root, classes)

    def positions(self, split: Split) -> list[int]:
        """Return the indices of the images of a split, ascending."""
        return [i for i, name in enumerate(self.splits) if name == split]


def collect(root: Path, groups: Groups, patient: PatientRule) -> Collection:
    """Find all images below a data root, and the files that are not used.

    Args:
        root: Data root, see `xray.data.layout.find_layout`. A manifest.csv in it contains patients,
            sources, labels and, for a flat folder, splits: see `xray.data.describe`.
        groups: Folder names of each class.
        patient: Rule that finds patient IDs in paths.

    Raises:
        DataError: The folders are missing or not arranged as expected, or the manifest is
            malformed.
    """
    samples: list[Sample] = []
    splits: list[Split] = []
    layout = find_layout(root)
    extraneous = [found.finding(root) for found in find_outside(root, layout)]
    for split, folder in layout.items():
        images = XrayFolder(folder, groups, patient)
        extraneous += [found.finding(root, split) for found in images.extraneous]
        samples += images.records
        splits += [split] * len(images.records)
    extraneous.sort(key=lambda finding: finding.path)
    is_flat = layout.get("train") == root
    samples, splits = describe_images(samples, splits, root, groups, patient, is_flat=is_flat)
    given = frozenset(splits) if is_flat else frozenset(layout)
    if "train" not in given:
        raise DataError(
            f"{root / MANIFEST} has no image with the split 'train'. Add some, or delete the "
            "column 'split' to have the images split."
        )
    return Collection(root, samples, splits, given, tuple(extraneous))


def counts(samples: Sequence[Sample], classes: Sequence[str]) -> dict[str, Any]:
    """Count images, patients and images of each class; an image without a patient ID is a patient.

    Returns:
        {"images": n, "patients": n, "classes": {class name: n}}.
    """
    targets = Counter(sample.target for sample in samples)
    return {
        "images": len(samples),
        "patients": len({sample.owner for sample in samples}),
        "classes": {name: targets[i] for i, name in enumerate(classes)},
    }
