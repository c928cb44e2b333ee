"""Another hospital's folder, read with the classes of a network that was trained elsewhere."""

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from xray.data.collection import described
from xray.data.folder import XrayFolder
from xray.data.groups import Groups, folders_in
from xray.data.layout import find_layout
from xray.data.manifest import MANIFEST, Row, read_manifest
from xray.errors import DataError
from xray.types import Sample, Split

log = logging.getLogger(__name__)

_FEWEST_CLASSES = 2


def read_external(
    root: Path, split: Split, groups: Groups, patient: re.Pattern[str]
) -> list[Sample]:
    """Find the images of a folder, and make sure that its classes are those of the network.

    Where it lacks one of three classes or more, a line says so.

    Args:
        root: Holds `<split>/<class>/...`, or `<class>/...`, of which then every image is taken; and
            manifest.csv, where there is one, which tells patients and sources.
        split: Which folder of the first layout.
        groups: Which folder names mean which class of the network.
        patient: See `xray.data.folder.XrayFolder`.

    Raises:
        DataError: The folder is missing, has splits but not this one, or folders that no class
            claims; has images of one class only; or its manifest puts an image into another class
            than its folder does.
    """
    layout = find_layout(root, needs_train=False)
    path = layout.get("train" if layout.get("train") == root else split)
    if path is None:
        raise DataError(
            f"{root} holds {', '.join(layout)}, but no {split}/. Pass split={next(iter(layout))}."
        )
    _check_names(path, groups)
    manifest = read_manifest(root) or {}
    found = XrayFolder(path, groups, patient).records
    _check_manifest(found, root, groups, manifest)
    _check_classes(path, found, groups)
    return [described(sample, root, manifest) for sample in found]


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


def _check_manifest(
    samples: Sequence[Sample], root: Path, groups: Groups, manifest: Mapping[str, Row]
) -> None:
    """Refuse images whose manifest means another class, in the network's terms, than their folder.

    A tree of two classes may hold COVID-19 in its folder "pneumonia"; a network of three tells them
    apart.
    """
    rows = [(sample, manifest.get(sample.path.relative_to(root).as_posix())) for sample in samples]
    wrong = [
        (sample, name)
        for sample, row in rows
        if row is not None
        for name in (row.class_name, row.label)
        if groups.find(name) not in (None, sample.target)
    ]
    if wrong:
        sample, name = wrong[0]
        means = groups.classes[groups.index(Path(name))]
        images = len({sample.path for sample, _ in wrong})
        raise DataError(
            f"{root / MANIFEST} disagrees with the folders on {images} images: it calls "
            f"{sample.path.relative_to(root)} '{name}', which is '{means}' to this network, but "
            f"the folder '{sample.label}' is '{groups.classes[sample.target]}'. Prepare the tree "
            "anew with the classes of the network, or move these images."
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
