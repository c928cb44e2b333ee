"""Another hospital's folder, read with the classes of a network that was trained elsewhere."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from xray.data.describe import describe_images
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
    """Find the images of a folder, and make sure that its classes are those of the network.

    Where it lacks one of three classes or more, a line says so.

    Args:
        root: Folder with `<split>/<class>/...` or `<class>/...`, and possibly a manifest.csv: see
            `xray.data.describe`. Of a folder without splits, every image is used.
        split: Split to read, from split folders or from the column "split" of the manifest.
        groups: Folder names of each class of the network.
        patient: Rule that finds patient IDs in paths.

    Raises:
        DataError: The folder is missing, has splits but not this one, or folders that no class
            claims; has images of one class only; or its manifest puts an image into another class
            than its folder does.
    """
    layout = find_layout(root, needs_train=False)
    is_flat = layout.get("train") == root
    path = layout.get("train" if is_flat else split)
    if path is None:
        raise DataError(
            f"{root} holds {', '.join(layout)}, but no {split}/. Pass split={next(iter(layout))}."
        )
    _check_names(path, groups)
    records = XrayFolder(path, groups, patient).records
    folder_splits: list[Split] = [split] * len(records)
    found, splits = describe_images(records, folder_splits, root, groups, patient, is_flat=is_flat)
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
    strange = [folder.name for folder in folders_in(path) if groups.find(folder.name) is None]
    if not strange:
        return
    nearest = {name: groups.nearest(name) for name in strange}
    listed = ", ".join(
        f"'{name}'" + (f" (nearest: '{near}')" if near else "") for name, near in nearest.items()
    )
    raise DataError(
        f"{path} has folders that no class of this network claims: {listed}. Known: "
        f"{groups.describe()}. Rename them, or move them away: what a network calls its classes "
        "was settled when it was trained."
    )


def _check_classes(path: Path, samples: Sequence[Sample], groups: Groups) -> None:
    counts = Counter(sample.target for sample in samples)
    absent = [name for i, name in enumerate(groups.classes) if not counts[i]]
    if not absent:
        return
    present = [name for i, name in enumerate(groups.classes) if counts[i]]
    if len(present) < _FEWEST_CLASSES:
        names = "; ".join(f"{name}: {', '.join(groups.as_dict()[name])}" for name in absent)
        raise DataError(
            f"{path} has images of {present[0]} only, and none of {', '.join(absent)}: a network "
            "that always gives one answer would be right each time. Add a folder of the others "
            f"({names})."
        )
    log.warning(
        "%s has no image of %s: what needs them stays undefined, the rest is measured.",
        path,
        ", ".join(absent),
    )
