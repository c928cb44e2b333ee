"""Meaning of file and folder names: splits, segmentation masks, and hidden files."""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # `xray.types` imports torch, which the configuration check does not need.
    from xray.types import Split

SPLIT_FOLDERS: "dict[Split, tuple[str, ...]]" = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""Folder names of each split; case does not matter."""

_ARCHIVE = "__macosx"
_MASKS = frozenset(
    {"mask", "masks", "lungmask", "lungmasks", "segmask", "segmasks", "seg", "segs"}
    | {"segmentation", "segmentations", "groundtruth"}
)
"""Words that mark a file or folder as a segmentation mask."""
_REGIONS = frozenset(
    {"lung", "lungs", "left", "right", "l", "r", "heart", "hearts", "clavicle", "clavicles"}
    | {"lesion", "lesions", "infection", "infections", "opacity", "opacities"}
    | {"gt", "label", "labels", "binary", "manual", "png"}
)
"""Words that name the region or type of a mask."""
_WEAK = frozenset({"lung", "lungs", "gt", "label", "labels"})
"""Words that mark a mask only if the image that it belongs to is in the same folder."""
_NEGATIONS = frozenset({"no", "non", "not", "un", "with", "without"})
_IMAGE_WORDS = frozenset({"image", "img", "xray", "cxr", "scan", "frame"})
# Cheap test, so that most file names need not be split into words.
_MAY_BE_MASK = re.compile("mask|seg|truth|lung|gt|label", re.IGNORECASE)


def fold_name(name: str) -> str:
    """Normalize case and punctuation: "COVID-19" and "covid_19" both become "covid 19"."""
    return re.sub(r"[\W_]+", " ", name).strip().casefold()


def split_of(name: str) -> "Split | None":
    """Return the split that a folder name denotes ("Valid" is "val"), or None."""
    folded = fold_name(name)
    return next((split for split, names in SPLIT_FOLDERS.items() if folded in names), None)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden or archive metadata (`.git`, `__MACOSX`)."""
    return name.startswith(".") or name.casefold() == _ARCHIVE


def is_mask_folder(name: str) -> bool:
    """Return whether a folder name denotes segmentation masks.

    "masks", "lung masks", "Lung_Mask", "ManualMask", "mask-left" and "segmentations" do;
    "unmasked", "without mask" and "maskell" do not.
    """
    words = _words(name)
    marked = [word in _MASKS for word in words]
    if not any(marked) or not _NEGATIONS.isdisjoint(words):
        return False
    return marked[-1] or _MASKS.union(_REGIONS).issuperset(words)


def is_noise(name: str) -> bool:
    """Return whether a folder holds no images of a class: hidden, archive metadata, or masks."""
    return is_hidden(name) or is_mask_folder(name)


def mask_test(names: Collection[str]) -> Callable[[str], bool]:
    """Return a function that checks whether a file of a folder is a segmentation mask.

    A name that ends in "mask" or "segmentation", also with a region or a number ("a_mask.png",
    "a-lung-mask-2.png", "aMask.png", "mask.png"), is a mask. A name that ends in "lung", "label" or
    "gt" ("a_lung.png") or begins with "mask" ("mask_a.png") is a mask only if the folder also
    contains the image that it belongs to ("a.png"), since it could name an image or a patient.

    Args:
        names: Names of all files in the folder.
    """
    stems: set[tuple[str, ...]] = set()

    def has_image(words: tuple[str, ...]) -> bool:
        if not stems:
            stems.update(_words(Path(name).stem) for name in names)
        return words in stems or any((word, *words) in stems for word in _IMAGE_WORDS)

    def is_mask(name: str) -> bool:
        if not _MAY_BE_MASK.search(name):
            return False
        words = _words(Path(name).stem)
        if not _NEGATIONS.isdisjoint(words):
            return False
        if _MASKS.union(_REGIONS).issuperset(words):
            return not _MASKS.isdisjoint(words)
        core = _without_tail(words, numbers=True)
        if len(core) > 1 and core[-1] in _MASKS:
            return True
        if words[0] in _MASKS:
            return has_image(words[1:])
        rest = _without_tail(words, numbers=False)
        return not _WEAK.isdisjoint(words[len(rest) :]) and has_image(rest)

    return is_mask


def _words(name: str) -> tuple[str, ...]:
    """Split a name into lower-case words at punctuation and before capitals ("ManualMask")."""
    folded = fold_name(re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", name))
    return tuple(folded.replace("ground truth", "groundtruth").split())


def _without_tail(words: tuple[str, ...], *, numbers: bool) -> tuple[str, ...]:
    """Remove region words, and also short numbers if requested, from the end of a name."""
    end = len(words)
    while end and (
        words[end - 1] in _REGIONS or (numbers and re.fullmatch(r"\d{1,2}", words[end - 1]))
    ):
        end -= 1
    return words[:end]


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, without hidden folders and folders of masks."""
    return sorted(f for f in folder.iterdir() if f.is_dir() and not is_noise(f.name))
