"""All images below a data root, and the split that each was given."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xray.data.describe import describe_images
from xray.data.folder import XrayFolder
from xray.data.groups import Groups
from xray.data.layout import find_layout
from xray.data.manifest import MANIFEST
from xray.data.patients import PatientRule
from xray.errors import DataError
from xray.types import Sample, Split


@dataclass(frozen=True)
class Collection:
    """All images of a dataset.

    Attributes:
        root: Their dataset's root.
        samples: N images.
        splits: N splits: where each lies. Images of a flat root are all in "train".
        given: The splits that the root has folders for.
    """

    root: Path
    samples: list[Sample]
    splits: list[Split]
    given: frozenset[Split]

    def joining(self, split: Split) -> "Collection":
        """Return the collection with the images of a split in train."""
        splits: list[Split] = ["train" if name == split else name for name in self.splits]
        return replace(self, splits=splits, given=self.given - {split})

    def only(self, kept: list[int]) -> "Collection":
        """Return the collection of the images at some positions."""
        return replace(
            self,
            samples=[self.samples[i] for i in kept],
            splits=[self.splits[i] for i in kept],
        )

    def positions(self, split: Split) -> list[int]:
        """List the positions of a split's images, ascending."""
        return [i for i, name in enumerate(self.splits) if name == split]


def collect(root: Path, groups: Groups, patient: PatientRule) -> Collection:
    """Find all images below a data root.

    Args:
        root: See `xray.data.layout.find_layout`. A manifest.csv in it contains patients, sources,
            labels and, for a flat folder, splits: see `xray.data.describe`.
        groups: Folder names of each class.
        patient: Rule that finds patient IDs in paths.

    Raises:
        DataError: When the folders are missing or not laid out as expected, or the manifest is
            malformed.
    """
    samples: list[Sample] = []
    splits: list[Split] = []
    layout = find_layout(root)
    for split, folder in layout.items():
        records = XrayFolder(folder, groups, patient).records
        samples += records
        splits += [split] * len(records)
    is_flat = layout.get("train") == root
    samples, splits = describe_images(samples, splits, root, groups, patient, is_flat=is_flat)
    given = frozenset(splits) if is_flat else frozenset(layout)
    if "train" not in given:
        raise DataError(
            f"{root / MANIFEST} has no image with the split 'train'. Add some, or delete the "
            "column 'split' to have the images split."
        )
    return Collection(root, samples, splits, given)


def counts(samples: Sequence[Sample], classes: Sequence[str]) -> dict[str, Any]:
    """Count images, patients (one that nothing tells counts as one) and images of each class."""
    targets = Counter(sample.target for sample in samples)
    return {
        "images": len(samples),
        "patients": len({sample.owner for sample in samples}),
        "classes": {name: targets[i] for i, name in enumerate(classes)},
    }
