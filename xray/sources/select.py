"""Which images are taken, into which class, split and name."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from xray.data.groups import Groups, fold_name
from xray.data.split import carve
from xray.errors import DataError
from xray.integrity.clusters import cluster
from xray.sources.base import About, Item
from xray.types import Sample, Split

Splitting = Literal["official", "carve", "flat"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """An image that is taken.

    Attributes:
        source: Name of its dataset.
        item: What the dataset tells of it.
        class_name: What it is in the tree.
        split: Where it goes; None: where the dataset has it, or into a flat tree.
        name: File name in the tree.
    """

    source: str
    item: Item
    class_name: str
    split: Split | None
    name: str

    @property
    def group(self) -> str:
        """What is kept together: a patient, or an image of none."""
        return f"{self.source}-{self.item.patient or self.item.path}"

    @property
    def place(self) -> PurePosixPath:
        """Its path below the tree's root."""
        return PurePosixPath(self.split or "", self.class_name, self.name)


@dataclass(slots=True)
class Choice:
    """What is taken of one dataset, and what is not.

    Attributes:
        chosen: What is taken.
        left_out: Label -> how many images no class claims, or the user leaves out.
        absent: Listed, but not there.
    """

    chosen: list[Chosen] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    absent: list[Path] = field(default_factory=list)


def choose(
    source: str, items: Iterable[Item], about: About, groups: Groups, leave_out: Sequence[str]
) -> Choice:
    """Give each image its class.

    Args:
        source: Name of the dataset.
        items: Its images.
        about: Says what its labels mean.
        groups: Which folder name means which class.
        leave_out: Labels that are not wanted.

    Raises:
        DataError: A label means no class, and neither the dataset nor `leave_out` leaves it out;
            or nothing is left.
    """
    unwanted = {fold_name(label) for label in leave_out}
    choice = Choice()
    for item in items:
        meaning = item.meaning or about.meaning(item.label)
        if meaning is None or fold_name(item.label) in unwanted:
            choice.left_out[item.label or "(none)"] += 1
        elif (target := groups.find(meaning)) is None:
            raise DataError(_unclaimed(source, item, meaning, groups))
        elif not item.path.is_file():
            choice.absent.append(item.path)
        else:
            stem, ending = item.name or item.path.stem, item.path.suffix
            one = Chosen(source, item, groups.classes[target], item.split, stem + ending)
            choice.chosen.append(one)
    if not choice.chosen:
        raise DataError(
            f"{source} has no image to take: {choice.left_out.total()} are left out by their "
            f"label, {len(choice.absent)} are listed but not there. Check path= and groups."
        )
    return choice


def _unclaimed(source: str, item: Item, meaning: str, groups: Groups) -> str:
    last = groups.classes[-1]
    folders = ", ".join([*groups.as_dict()[last], fold_name(meaning)])
    return (
        f"{source}: no class claims the label {meaning!r} ({item.path.name}). Known: "
        f"{groups.describe()}. Add it to a class ('groups.{last}=[{folders}]'), or leave its "
        f"images out ('leave_out=[\"{item.label}\"]')."
    )


def limit_images(chosen: Sequence[Chosen], limit: int, seed: int) -> list[Chosen]:
    """Keep at most `limit` images of each class in each split; patients are taken whole.

    Patients come in a shuffled order; one who would exceed the limit is passed over. A first one
    is taken in any case.
    """
    patients: dict[str, list[Chosen]] = defaultdict(list)
    for one in chosen:
        patients[one.group].append(one)
    names = sorted(patients)
    taken: Counter[tuple[str, Split | None]] = Counter()
    kept: set[str] = set()
    for i in np.random.default_rng(seed).permutation(len(names)):
        counts = Counter((one.class_name, one.split) for one in patients[names[i]])
        if all(not taken[key] or taken[key] + n <= limit for key, n in counts.items()):
            taken += counts
            kept.add(names[i])
    return [one for one in chosen if one.group in kept]


def split_images(
    chosen: Sequence[Chosen],
    splitting: Splitting,
    fraction: float,
    classes: Sequence[str],
    seed: int,
) -> list[Chosen]:
    """Give each image its split.

    "official" keeps a dataset's own, of which what has none joins train; where it has no test,
    that is carved from train, by patient and stratified, as under "carve". "flat" makes none.

    Args:
        chosen: Images of one dataset, or of all that are to be split together.
        splitting: How.
        fraction: Share of the test set that is carved.
        classes: Class names.
        seed: Of the carving.

    Raises:
        DataError: A class has a single patient.
    """
    if splitting == "flat":
        return [replace(one, split=None) for one in chosen]
    if splitting == "official" and any(one.split == "test" for one in chosen):
        return [replace(one, split=one.split or "train") for one in chosen]
    validation = [one for one in chosen if one.split == "val"]
    pool = [one for one in chosen if one.split != "val"]
    samples = [
        Sample(one.item.path, classes.index(one.class_name), one.item.label, one.group)
        for one in pool
    ]
    clusters = cluster([sample.owner for sample in samples], []).tolist()
    folds = max(2, round(1 / fraction))
    _, carved = carve(
        samples,
        clusters,
        folds,
        classes=classes,
        seed=seed,
        name="test",
        patient_key="source.folder.patient_pattern",
    )
    tested = set(carved)
    split: list[Split] = ["test" if i in tested else "train" for i in range(len(pool))]
    return validation + [replace(one, split=to) for one, to in zip(pool, split, strict=True)]


def name_images(chosen: Sequence[Chosen]) -> list[Chosen]:
    """Keep file names, but where two would meet in a folder put the source before both.

    Endings and case do not count, since other files are named by an image's stem; images that
    still meet are numbered.
    """
    counts = Counter(map(_spot, chosen))
    taken = {spot for spot, count in counts.items() if count == 1}
    numbers: Counter[str] = Counter()
    named = []
    for one in chosen:
        result, spot = one, _spot(one)
        if counts[spot] > 1:
            path = PurePosixPath(f"{one.source}_{one.name}")
            result = replace(one, name=path.name)
            while _spot(result) in taken:
                numbers[spot] += 1
                name = f"{path.stem}-{numbers[spot] + 1}{path.suffix}"
                result = replace(one, name=name)
            taken.add(_spot(result))
        named.append(result)
    return named


def _spot(one: Chosen) -> str:
    return str(one.place.with_suffix("")).casefold()
