"""Checks of the images of a dataset before training."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from xray.data.collection import Collection
from xray.data.extraneous import describe_unread, summarize
from xray.data.groups import Groups
from xray.data.partition import Rules
from xray.errors import DataError
from xray.integrity.findings import Finding
from xray.types import Split

log = logging.getLogger(__name__)
_SHOWN = 3


def check_unused(root: Path, extraneous: Sequence[Finding]) -> None:
    """Check that no image is outside the class folders, and log which files are not read.

    Args:
        root: Data root.
        extraneous: Findings about files that are not used.

    Raises:
        DataError: Images are outside the class folders.
    """
    outside = [finding.path for finding in extraneous if finding.kind == "outside"]
    if outside:
        more = ", ..." if len(outside) > _SHOWN else ""
        raise DataError(
            f"{root} contains {len(outside)} images outside the class folders: "
            f"{', '.join(outside[:_SHOWN])}{more}. They have no class and would not be used. Move "
            "them into a class folder, or out of the dataset."
        )
    found = summarize(extraneous)
    if found["masks"]:
        log.info("%s: %d segmentation masks are skipped", root, found["masks"])
    if found["unread"]:
        log.warning(
            "%s: %d image files are not read (%s). Convert them to PNG or JPEG, or remove them. "
            "python -m xray.audit lists them.",
            root,
            sum(found["unread"].values()),
            describe_unread(found["unread"]),
        )


def check_trained(used: Collection, groups: Groups) -> None:
    """Check that every class has a training image.

    Raises:
        DataError: A class has none.
    """
    counts = _counts(used, "train")
    for target, name in enumerate(groups.classes):
        if not counts[target]:
            raise DataError(
                f"Class '{name}' has no training image below {used.root}. Add a folder with one of "
                f"the names {', '.join(groups.as_dict()[name])}, or train on other classes "
                "(data/groups=two_class)."
            )


def check_classes(used: Collection, classes: Sequence[str], rules: Rules) -> None:
    """Check the classes of the validation and test images.

    A missing class in the test images, or one of several in the validation images, is logged.

    Raises:
        DataError: The validation images are all of one class.
    """
    splits: tuple[Split, ...] = ("val", "test")
    for split in splits:
        counts = _counts(used, split)
        present = [name for i, name in enumerate(classes) if counts[i]]
        absent = [name for i, name in enumerate(classes) if not counts[i]]
        if split == "val" and len(present) == 1:
            raise DataError(_one_class(used, present[0], absent, rules))
        if absent:
            log.warning(
                "No %s images of class %s below %s: metrics that need them are undefined.",
                "validation" if split == "val" else split,
                ", ".join(f"'{name}'" for name in absent),
                used.root,
            )


def _one_class(used: Collection, present: str, absent: Sequence[str], rules: Rules) -> str:
    images = len(used.positions("val"))
    folders = {used.samples[i].path.parent for i in used.positions("val")}
    if "val" in used.given:
        remedy = (
            f"Add images of {', '.join(absent)} to the validation folder, or pass "
            f"data.min_val={images + 1} to use its images for training and to hold out validation "
            "images of all classes from the training images"
        )
    elif rules.folds:
        remedy = "Pass a smaller data.folds, or another data.fold"
    else:
        remedy = f"Add patients of class {', '.join(absent)}, or pass a larger data.val_fraction"
    return (
        f"All {images} validation images are of class '{present}' "
        f"({', '.join(sorted(map(str, folders))[:_SHOWN])}). With one class, metrics such as the "
        f"AUROC are undefined, and the best epoch cannot be selected. {remedy}."
    )


def _counts(used: Collection, split: Split) -> Counter[int]:
    return Counter(used.samples[i].target for i in used.positions(split))
