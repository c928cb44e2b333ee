"""External datasets, read with the classes of a trained network."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from xray.data.checks import check_unused
from xray.data.describe import describe_images
from xray.data.extraneous import find_outside, has_images
from xray.data.folder import XrayFolder
from xray.data.groups import Groups
from xray.data.layout import find_layout
from xray.data.manifest import MANIFEST
from xray.data.names import folders_in
from xray.data.patients import PatientRule
from xray.errors import DataError
from xray.types import Sample, Split

log = logging.getLogger(__name__)

_FEWEST_CLASSES = 2


def read_external(root: Path, split: Split, groups: Groups, patient: PatientRule) -> list[Sample]:
    """Find the images of another dataset, and check that its classes are those of the network.

    If it lacks some of several classes, that is logged.

    Args:
        root: Folder with `<split>/<class>/...` or `<class>/...`, and possibly a manifest.csv: see
            `xray.data.describe`. Of a folder without splits, every image is used.
        split: Split to read, from split folders or from the column "split" of the manifest.
        groups: Folder names of each class of the network.
        patient: Rule that finds patient IDs in paths.

    Raises:
        DataError: The folder is missing, lacks the split, contains folders that belong to no class
            or images outside the class folders, has images of one class only, or has a manifest
            that contradicts the class of a folder.
    """
    layout = find_layout(root, needs_train=False, key="root")
    is_flat = layout.get("train") == root
    path = layout.get("train" if is_flat else split)
    if path is None:
        raise DataError(
            f"{root} contains {', '.join(f.name for f in layout.values())}, but no {split}/. Pass "
            f"split={next(iter(layout))}."
        )
    _check_names(path, groups)
    images = XrayFolder(path, groups, patient)
    extraneous = [*find_outside(root, {split: path}), *images.extraneous]
    check_unused(root, [found.finding(root, split) for found in extraneous])
    folder_splits: list[Split] = [split] * len(images.records)
    found, splits = describe_images(
        images.records, folder_splits, root, groups, patient, is_flat=is_flat
    )
    if is_flat and set(splits) != {"train"}:
        found = _of_split(found, splits, split, root)
    _check_classes(path, found, groups)
    return found


def _of_split(
    samples: Sequence[Sample], splits: Sequence[Split], split: Split, root: Path
) -> list[Sample]:
    """Return the images of one split of a flat folder that a manifest divides."""
    if split not in splits:
        raise DataError(
            f"{root / MANIFEST} has no image with the split {split!r}. Pass split={splits[0]}."
        )
    return [sample for sample, own in zip(samples, splits, strict=True) if own == split]


def _check_names(path: Path, groups: Groups) -> None:
    """Check that every folder with images belongs to a class."""
    unknown = [f for f in folders_in(path) if groups.find(f.name) is None and has_images(f)]
    if not unknown:
        return
    similar = {folder.name: groups.nearest(folder.name) for folder in unknown}
    listed = ", ".join(
        f"'{name}'" + (f" (similar to '{known}')" if known else "")
        for name, known in similar.items()
    )
    raise DataError(
        f"{path} contains images in folders that belong to no class of this network: {listed}. "
        f"Known: {groups.describe()}. Rename the folders to one of these names, or move them out "
        "of the dataset; the classes of a trained network cannot be changed."
    )


def _check_classes(path: Path, samples: Sequence[Sample], groups: Groups) -> None:
    """Check that at least two classes have images, and log which classes have none."""
    counts = Counter(sample.target for sample in samples)
    absent = [name for i, name in enumerate(groups.classes) if not counts[i]]
    if not absent:
        return
    present = [name for i, name in enumerate(groups.classes) if counts[i]]
    if len(present) < _FEWEST_CLASSES:
        names = "; ".join(f"{name}: {', '.join(groups.as_dict()[name])}" for name in absent)
        raise DataError(
            f"{path} has only images of class '{present[0]}'. Metrics such as the AUROC are "
            f"undefined with one class. Add a folder of another class ({names})."
        )
    log.warning(
        "No images of class %s in %s: metrics that need them are undefined.",
        ", ".join(f"'{name}'" for name in absent),
        path,
    )
