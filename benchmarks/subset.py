"""Random subset of a folder of radiographs, stratified by class and separated by patient."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from xray.data.collection import collect
from xray.data.groups import Groups
from xray.data.patients import compile_patient_pattern
from xray.errors import DataError
from xray.types import Sample

CLASSES = ("normal", "pneumonia")


def write_subset(
    root: Path, target: Path, counts: Mapping[str, int], groups: Mapping[str, Sequence[str]]
) -> None:
    """Choose images and link them into target/<split>/<class>/.

    The test/ folder of `root` is not used. The class folders are named as in `CLASSES`, so that
    torchvision's ImageFolder uses the classes of the framework.

    Args:
        root: Folder of images, as for `data.root`.
        target: Folder to create.
        counts: Split -> number of images.
        groups: Class name -> folder names, as in `data.groups`; two classes.

    Raises:
        SystemExit: The folder does not exist or has too few images.
    """
    try:
        found = collect(root, Groups(groups), compile_patient_pattern(None))
    except DataError as error:
        raise SystemExit(f"root={root}: {error}") from error
    pool = [s for s, split in zip(found.samples, found.splits, strict=True) if split != "test"]
    for split, samples in draw(pool, counts).items():
        for name in CLASSES:
            (target / split / name).mkdir(parents=True)
        for sample in samples:
            _place(sample.path.resolve(), target / split / CLASSES[sample.target])


def draw(
    pool: Sequence[Sample], counts: Mapping[str, int], seed: int = 0
) -> dict[str, list[Sample]]:
    """Choose images for each split; the other images of a chosen patient are not used.

    Args:
        pool: Images to choose from.
        counts: Split -> number of images. Each split has the class shares of the pool, and at least
            one image of each class.
        seed: Seed of the order of patients.

    Raises:
        SystemExit: The pool has too few images.
    """
    owners: dict[str, list[Sample]] = defaultdict(list)
    for sample in sorted(pool, key=lambda sample: sample.path):
        owners[sample.owner].append(sample)
    names = list(owners)
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    chosen: dict[str, list[Sample]] = {}
    for split, count in counts.items():
        wanted = quota(Counter(sample.target for sample in pool), count)
        taken: list[Sample] = []
        left = []
        for owner in order:
            mine = _take(owners[owner], wanted)
            taken += mine
            if not mine:
                left.append(owner)
        if missing := sum(wanted.values()):
            raise SystemExit(f"{len(pool)} images are {missing} too few for {split}={count}.")
        chosen[split], order = taken, left
    return chosen


def quota(sizes: Mapping[int, int], count: int) -> dict[int, int]:
    """Distribute `count` images in proportion to `sizes`, at least one each; largest remainders."""
    exact = {target: count * size / sum(sizes.values()) for target, size in sorted(sizes.items())}
    shares = {target: max(1, int(value)) for target, value in exact.items()}
    by_remainder = sorted(exact, key=lambda target: shares[target] - exact[target])
    for target in by_remainder[: max(0, count - sum(shares.values()))]:
        shares[target] += 1
    return shares


def _take(samples: list[Sample], wanted: dict[int, int]) -> list[Sample]:
    """Take the images of one patient that are still needed, and update the counts."""
    taken = []
    for sample in samples:
        if wanted[sample.target]:
            wanted[sample.target] -= 1
            taken.append(sample)
    return taken


def _place(source: Path, folder: Path) -> None:
    """Link a file; the name contains the patient ID, so a second one goes to a subfolder."""
    path, number = folder / source.name, 2
    while path.is_symlink() or path.exists():
        path, number = folder / str(number) / source.name, number + 1
    path.parent.mkdir(exist_ok=True)
    try:
        path.symlink_to(source)
    except OSError:  # The file system does not support links.
        shutil.copyfile(source, path)
