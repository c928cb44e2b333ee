"""Assignment of all images of a dataset to the splits that are used."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xray.data.certificate import Certificate, Leaks, certify, check_leaks
from xray.data.collection import Collection
from xray.data.split import hold_out
from xray.errors import DataError
from xray.integrity.findings import find
from xray.integrity.screening import Screening
from xray.types import SPLITS, Split

log = logging.getLogger(__name__)
_SHOWN = 3


@dataclass(frozen=True)
class Rules:
    """How a dataset is split.

    Attributes:
        val_fraction: Share of the training images that is held out for validation, at most 0.5; the
            nearest of 1/2, 1/3, 1/4 ... is used.
        test_fraction: Share of all images that is held out for the test, in the same way.
        min_val: A val/ folder with fewer usable images than this is added to the training images.
        folds: Number of folds that replace the share of the first split to be held out: the test
            images if there is no test/, else the validation images (val/ is then added to the
            training images).
        fold: Index of the fold that is held out.
        leaks: Treatment of images whose patient or duplicate is in another split: "drop" removes
            them from training (and from validation, if the other is in test), "keep" labels the run
            as leaking, "error" stops.
        on_bad_file: "error" or "skip".
        split_seed: Seed of the splits.
    """

    val_fraction: float = 0.15
    test_fraction: float = 0.15
    min_val: int = 50
    folds: int | None = None
    fold: int = 0
    leaks: Leaks = "drop"
    on_bad_file: Literal["error", "skip"] = "error"
    split_seed: int = 0


def partition(
    collection: Collection, screening: Screening, rules: Rules, classes: Sequence[str]
) -> tuple[Collection, Certificate]:
    """Split a dataset: hold out missing splits, and remove images that overlap with another split.

    Args:
        collection: All images, in the splits that the dataset provides.
        screening: Fingerprints and duplicates of the images, in their order.
        rules: Rules of the split.
        classes: Class names.

    Returns:
        The images used, in their splits, and the assessment of these splits.

    Raises:
        DataError: The rules reject a bad file or an overlap, or a class has too few patients.
        ConfigError: The requested folds cannot be made.
    """
    if screening.index.problems and rules.on_bad_file == "error":
        raise DataError(_bad_files(screening, len(collection.samples)))
    found = find(collection.placed(classes), screening)
    usable = screening.index.usable().tolist()
    used, screened = collection.only(usable), screening.only(usable)
    clusters = screened.clusters([sample.owner for sample in used.samples])
    used = _join_val(used, clusters, rules)
    if rules.leaks == "error":
        check_leaks(used.placed(classes), screened)
    splits = _assign(used, clusters, rules, classes)
    chosen = [i for i, split in enumerate(splits) if split is not None]
    removed = [old for old, new in zip(used.splits, splits, strict=True) if new is None]
    used = replace(used.only(chosen), splits=[split for split in splits if split is not None])
    return used, certify(
        [*found, *collection.extraneous],
        used,
        screened.only(chosen),
        classes,
        leaks=rules.leaks,
        dropped={split: removed.count(split) for split in SPLITS if split != "test"},
        skipped=len(screening.index.problems),
    )


def _bad_files(screening: Screening, images: int) -> str:
    bad = [screening.index.problems[i] for i in sorted(screening.index.problems)]
    reasons = "; ".join(f"{error.path} {error.reason}" for error in bad[:_SHOWN])
    more = " ..." if len(bad) > _SHOWN else ""
    return (
        f"{len(bad)} of {images} files cannot be used: {reasons}{more}. Pass "
        "data.on_bad_file=skip to continue without them, or run python -m xray.audit to list all "
        "of them."
    )


def _join_val(collection: Collection, clusters: NDArray[np.int64], rules: Rules) -> Collection:
    """Move validation images to train if val/ is too small or folds replace it."""
    if "val" not in collection.given:
        return collection
    of_val = clusters[collection.positions("val")]
    overlaps = np.isin(of_val, clusters[collection.positions("test")]) & (rules.leaks == "drop")
    count = int(np.sum(~overlaps))
    if rules.folds and "test" in collection.given:
        log.info("val/ is added to the training images, which data.folds divides")
    elif count < rules.min_val:
        log.info(
            "val/ has %d usable images, fewer than data.min_val: they are added to the training "
            "images, from which validation images are held out",
            count,
        )
    else:
        return collection
    return collection.joining("val")


def _assign(
    collection: Collection, clusters: NDArray[np.int64], rules: Rules, classes: Sequence[str]
) -> list[Split | None]:
    """Return the split of each image; None: the image is removed."""
    splits: list[Split | None] = list(collection.splits)
    folds = rules.folds
    steps: tuple[tuple[Split, float, tuple[Split, ...]], ...] = (
        ("test", rules.test_fraction, ("train", "val")),
        ("val", rules.val_fraction, ("train",)),
    )
    for split, fraction, others in steps:
        if split not in collection.given:
            pool = [i for i, name in enumerate(splits) if name == "train"]
            _, held_out = hold_out(
                [collection.samples[i] for i in pool],
                [int(clusters[i]) for i in pool],
                folds or max(2, round(1 / fraction)),
                fold=rules.fold if folds else None,
                classes=classes,
                seed=rules.split_seed,
                name=split,
            )
            for i in held_out:
                splits[pool[i]] = split
            folds = None
        if rules.leaks == "drop":
            _remove_overlaps(splits, clusters, split, others)
            _check_remaining(collection, splits, classes, split)
    return splits


def _check_remaining(
    collection: Collection, splits: Sequence[Split | None], classes: Sequence[str], whole: Split
) -> None:
    """Check that a class keeps training images, and that validation images remain."""
    groups = {
        f"training images of class '{name}'": [
            i for i in collection.positions("train") if collection.samples[i].target == target
        ]
        for target, name in enumerate(classes)
    }
    groups["images of val/"] = collection.positions("val")
    for name, indices in groups.items():
        if len(indices) and all(splits[i] is None for i in indices):
            raise DataError(
                f"All {len(indices)} {name} overlap with the {whole} images: they show the same "
                "patients or are duplicates. Check data.patient_pattern, run python -m xray.audit, "
                "or pass data.leaks=keep to train on them anyway."
            )


def _remove_overlaps(
    splits: list[Split | None],
    clusters: NDArray[np.int64],
    whole: Split,
    others: tuple[Split, ...],
) -> None:
    """Remove images of other splits that share a cluster with the split that stays whole."""
    in_whole = {int(c) for c, split in zip(clusters, splits, strict=True) if split == whole}
    overlapping = [
        i for i, split in enumerate(splits) if split in others and int(clusters[i]) in in_whole
    ]
    for i in overlapping:
        splits[i] = None
    if overlapping:
        log.warning(
            "%d images of %s are removed: their patient or a duplicate is in %s (data.leaks=drop)",
            len(overlapping),
            " and ".join(others),
            whole,
        )
