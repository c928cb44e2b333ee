"""From all images of a dataset to the splits that are used."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xray.data.certificate import Certificate, Leaks, certify, check_leaks
from xray.data.collection import Collection
from xray.data.split import carve
from xray.errors import DataError
from xray.integrity.findings import Placed, find
from xray.integrity.screening import Screening
from xray.types import SPLITS, Split

log = logging.getLogger(__name__)
_SHOWN = 3


@dataclass(frozen=True)
class Rules:
    """How a dataset is split.

    Attributes:
        val_fraction: Share of the training images that is carved for validation, 0.5 at most; the
            nearest of 1/2, 1/3, 1/4 ... is taken.
        test_fraction: Share of all images that is carved for the test, in the same way.
        min_val: A val/ folder of which fewer images than this can be used joins train.
        folds: Cut into so many folds, in place of a share, what is carved first: the test images
            where there is no test/, else the validation images (val/ then joins train).
        fold: Which fold is carved, from 0.
        leaks: What to do where a patient or an exposure is in two splits: "drop" leaves it out of
            training (and out of validation, if it is in test); "keep" labels the run as leaking;
            "error" stops.
        on_bad_file: "error" or "skip".
        split_seed: Of the carving.
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
    """Split a dataset: what is missing is carved, what overlaps is left out.

    Args:
        collection: All images, in the splits they were given.
        screening: What is known of them, in their order.
        rules: How to split.
        classes: Class names.

    Returns:
        The images used, in their splits, and what these are worth.

    Raises:
        DataError: When a file cannot be read, splits overlap (each where the rules say so), or a
            class has too few patients to be carved.
        ConfigError: When folds are asked for that cannot be cut.
    """
    found = find(Placed(collection.samples, collection.splits, collection.root, classes), screening)
    bad = screening.index.problems
    if bad and rules.on_bad_file == "error":
        raise DataError(_bad_files(screening, len(collection.samples)))
    kept = [i for i in range(len(collection.samples)) if i not in bad]
    used, screened = collection.only(kept), screening.only(kept)
    clusters = screened.clusters([sample.owner for sample in used.samples])
    used = _join_val(used, clusters, rules)
    if rules.leaks == "error":
        check_leaks(Placed(used.samples, used.splits, used.root, classes), screened)
    splits = _assign(used, clusters, rules, classes)
    chosen = [i for i, split in enumerate(splits) if split is not None]
    dropped: dict[Split, int] = {
        split: sum(
            was == split and now is None for was, now in zip(used.splits, splits, strict=True)
        )
        for split in SPLITS
        if split != "test"
    }
    used = replace(used.only(chosen), splits=[split for split in splits if split is not None])
    return used, certify(
        found,
        used,
        screened.only(chosen),
        classes,
        leaks=rules.leaks,
        dropped=dropped,
        skipped=len(bad),
    )


def _bad_files(screening: Screening, images: int) -> str:
    bad = [screening.index.problems[i] for i in sorted(screening.index.problems)]
    reasons = "; ".join(f"{error.path} {error.reason}" for error in bad[:_SHOWN])
    more = " ..." if len(bad) > _SHOWN else ""
    return (
        f"{len(bad)} of {images} files cannot be used: {reasons}{more}. Pass "
        "data.on_bad_file=skip to go on without them, or run python -m xray.audit to list them all."
    )


def _join_val(collection: Collection, clusters: NDArray[np.int64], rules: Rules) -> Collection:
    """Put validation images into train, where val/ is too small or folds are cut there."""
    if "val" not in collection.given:
        return collection
    mine = clusters[collection.positions("val")]
    overlaps = np.isin(mine, clusters[collection.positions("test")]) & (rules.leaks == "drop")
    count = int(np.sum(~overlaps))
    if rules.folds and "test" in collection.given:
        log.info("val/ joins train, of which data.folds are cut")
    elif count < rules.min_val:
        log.info("val/ has %d usable images, fewer than data.min_val: it joins train", count)
    else:
        return collection
    return collection.joining("val")


def _assign(
    collection: Collection, clusters: NDArray[np.int64], rules: Rules, classes: Sequence[str]
) -> list[Split | None]:
    """Give each image its split; None: it is left out."""
    splits: list[Split | None] = list(collection.splits)
    folds = rules.folds
    steps: tuple[tuple[Split, float, tuple[Split, ...]], ...] = (
        ("test", rules.test_fraction, ("train", "val")),
        ("val", rules.val_fraction, ("train",)),
    )
    for split, fraction, others in steps:
        if split not in collection.given:
            pool = [i for i, name in enumerate(splits) if name == "train"]
            _, carved = carve(
                [collection.samples[i] for i in pool],
                [int(clusters[i]) for i in pool],
                folds or max(2, round(1 / fraction)),
                fold=rules.fold if folds else None,
                classes=classes,
                seed=rules.split_seed,
                name=split,
            )
            for i in carved:
                splits[pool[i]] = split
            folds = None
        if rules.leaks == "drop":
            _leave_out(splits, clusters, split, others)
            _check_left(collection, splits, classes, split)
    return splits


def _check_left(
    collection: Collection, splits: Sequence[Split | None], classes: Sequence[str], whole: Split
) -> None:
    """Make sure that no class is left out of training as a whole, nor all of validation."""
    groups = {
        f"training images of class '{name}'": [
            i for i in collection.positions("train") if collection.samples[i].target == target
        ]
        for target, name in enumerate(classes)
    }
    groups["images of val/"] = collection.positions("val")
    for name, mine in groups.items():
        if len(mine) and all(splits[i] is None for i in mine):
            raise DataError(
                f"All {len(mine)} {name} overlap with the {whole} images: "
                "their patients or exposures are there, too. Check data.patient_pattern, look at "
                "python -m xray.audit, or pass data.leaks=keep to train on them all the same."
            )


def _leave_out(
    splits: list[Split | None],
    clusters: NDArray[np.int64],
    whole: Split,
    others: tuple[Split, ...],
) -> None:
    """Leave out, of other splits, what shares a cluster with the one that stays whole."""
    there = {int(c) for c, split in zip(clusters, splits, strict=True) if split == whole}
    overlapping = [
        i for i, split in enumerate(splits) if split in others and int(clusters[i]) in there
    ]
    for i in overlapping:
        splits[i] = None
    if overlapping:
        log.warning(
            "%d images of %s are left out, as their patient or exposure is in %s (data.leaks=drop)",
            len(overlapping),
            " and ".join(others),
            whole,
        )
