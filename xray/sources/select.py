"""Select images, and determine their class, split and file name."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np

from xray.data.groups import Groups
from xray.data.names import fold_name
from xray.data.split import hold_out
from xray.errors import DataError
from xray.integrity.clusters import cluster
from xray.sources.base import About, Item
from xray.sources.splitting import Splitting
from xray.suggest import override
from xray.types import Sample, Split


@dataclass(frozen=True, slots=True)
class Chosen:
    """A selected image.

    Attributes:
        source: Name of its dataset.
        item: The image in the dataset.
        class_name: Class in the prepared dataset.
        split: Split in the prepared dataset; None if it is not split.
        name: File name in the prepared dataset.
    """

    source: str
    item: Item
    class_name: str
    split: Split | None
    name: str

    @property
    def group(self) -> str:
        """Name of the patient, or of the image if the patient is unknown."""
        return f"{self.source}-{self.item.patient or self.item.path}"

    @property
    def place(self) -> PurePosixPath:
        """Path below the root of the prepared dataset."""
        return PurePosixPath(self.split or "", self.class_name, self.name)


@dataclass(slots=True)
class Choice:
    """Selected and other images of one dataset.

    Attributes:
        chosen: Selected images.
        left_out: Label -> number of images that are left out because of it.
        absent: Images that are listed but do not exist.
    """

    chosen: list[Chosen] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    absent: list[Path] = field(default_factory=list)


def choose(
    source: str, items: Iterable[Item], about: About, groups: Groups, leave_out: Sequence[str]
) -> Choice:
    """Select the images of a dataset, and find their classes.

    Args:
        source: Name of the dataset.
        items: Its images.
        about: Description of the dataset, with the meaning of its labels.
        groups: Folder names of each class.
        leave_out: Labels whose images are left out.

    Raises:
        DataError: A label belongs to no class, and neither the dataset nor `leave_out` leaves it
            out; or no image is selected.
    """
    unwanted = {fold_name(label) for label in leave_out}
    choice = Choice()
    for item in items:
        folder_name = item.folder_name or about.folder_name(item.label)
        if folder_name is None or fold_name(item.label) in unwanted:
            choice.left_out[item.label or "(none)"] += 1
        elif (target := groups.find(folder_name)) is None:
            raise DataError(_unknown(source, item, folder_name, groups))
        elif not item.path.is_file():
            choice.absent.append(item.path)
        else:
            stem, ending = item.name or item.path.stem, item.path.suffix
            one = Chosen(source, item, groups.classes[target], item.split, stem + ending)
            choice.chosen.append(one)
    if not choice.chosen:
        raise DataError(
            f"{source} has no image that can be used: {choice.left_out.total()} are left out by "
            f"their label, {len(choice.absent)} are listed but do not exist. Check path= and "
            "groups."
        )
    return choice


def _unknown(source: str, item: Item, folder_name: str, groups: Groups) -> str:
    last = groups.classes[-1]
    folders = [*groups.as_dict()[last], fold_name(folder_name)]
    return (
        f"{source}: the label {folder_name!r} belongs to no class (first image: "
        f"{item.path.name}). Classes: {groups.describe()}. Leave its images out "
        f"({override('leave_out', [item.label])}), or add it to the right class, for example "
        f"{override(f'groups.{last}', folders)}."
    )


def limit_images(chosen: Sequence[Chosen], limit: int, seed: int) -> list[Chosen]:
    """Select at most `limit` images per class and split, with all images of each patient.

    Patients are drawn in a random order. A patient who would exceed the limit is skipped, unless
    it is the first of a class and split.
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
    """Determine the split of each image.

    "official" keeps the split of the dataset; images without one are used for training. If there
    is no test split, one is held out, stratified by class and with all images of a patient
    together. "hold_out" ignores the split of the dataset and holds out a test split. "flat" does
    not split.

    Args:
        chosen: Images of one dataset, or of all that are split together.
        splitting: "official", "hold_out" or "flat".
        fraction: Share of the images that is held out for testing.
        classes: Class names.
        seed: Seed of the held-out split.

    Raises:
        DataError: A class has a single patient.
    """
    if splitting == "flat":
        return [replace(one, split=None) for one in chosen]
    if splitting == "official" and any(one.split == "test" for one in chosen):
        return [replace(one, split=one.split or "train") for one in chosen]
    # "hold_out" splits all images: a patient may have some in the dataset's validation split.
    given = "val" if splitting == "official" else ""
    validation = [one for one in chosen if one.split == given]
    pool = [one for one in chosen if one.split != given]
    tested = _hold_out_test(pool, fraction, classes, seed)
    split: list[Split] = ["test" if i in tested else "train" for i in range(len(pool))]
    return validation + [replace(one, split=to) for one, to in zip(pool, split, strict=True)]


def _hold_out_test(
    pool: Sequence[Chosen], fraction: float, classes: Sequence[str], seed: int
) -> set[int]:
    """Return the indices of the images of a test split."""
    samples = [
        Sample(one.item.path, classes.index(one.class_name), one.item.label, one.group)
        for one in pool
    ]
    clusters = cluster([sample.owner for sample in samples], []).tolist()
    folds = max(2, round(1 / fraction))
    _, held_out = hold_out(
        samples,
        clusters,
        folds,
        classes=classes,
        seed=seed,
        name="test",
        patient_key="source.folder.patient_pattern",
    )
    return set(held_out)


def name_images(chosen: Sequence[Chosen]) -> list[Chosen]:
    """Make file names unique: add the source to equal names in a folder, then a number.

    Suffix and case are ignored, because masks and overlays are named after the stem of an image.
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
