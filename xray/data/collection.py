"""All images below a data root, and the split that each was given."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xray.data.folder import XrayFolder
from xray.data.groups import Groups
from xray.data.layout import find_layout
from xray.data.manifest import Row, read_manifest
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


def collect(root: Path, groups: Groups, patient: re.Pattern[str]) -> Collection:
    """Find all images below a data root.

    Args:
        root: See `xray.data.layout.find_layout`. Where it holds a manifest.csv, that tells an
            image's patient, source and label before grouping; elsewhere its name and folder do.
        groups: Which folder names mean which class.
        patient: See `xray.data.folder.XrayFolder`.

    Raises:
        DataError: When the folders are missing or not laid out as expected, or the manifest is
            malformed.
    """
    manifest = read_manifest(root) or {}
    samples: list[Sample] = []
    splits: list[Split] = []
    layout = find_layout(root)
    for split, folder in layout.items():
        records = XrayFolder(folder, groups, patient).records
        samples += [described(sample, root, manifest) for sample in records]
        splits += [split] * len(records)
    return Collection(root, samples, splits, frozenset(layout))


def counts(samples: Sequence[Sample], classes: Sequence[str]) -> dict[str, Any]:
    """Count images, patients (one that nothing tells counts as one) and images of each class."""
    targets = Counter(sample.target for sample in samples)
    return {
        "images": len(samples),
        "patients": len({sample.owner for sample in samples}),
        "classes": {name: targets[i] for i, name in enumerate(classes)},
    }


def described(sample: Sample, root: Path, manifest: Mapping[str, Row]) -> Sample:
    """Add to an image below `root` what the manifest there says of it."""
    row = manifest.get(sample.path.relative_to(root).as_posix())
    if row is None:
        return sample
    return replace(sample, patient=row.patient, source=row.source, label=row.label or sample.label)
