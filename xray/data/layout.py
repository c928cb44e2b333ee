"""Folders of the training, validation and test split below a data root."""

from pathlib import Path

from xray.data.extraneous import has_images
from xray.data.names import SPLIT_FOLDERS, folders_in, split_of
from xray.errors import DataError
from xray.suggest import override
from xray.types import Split


def find_layout(
    root: Path, *, needs_train: bool = True, key: str = "data.root"
) -> dict[Split, Path]:
    """Find the folder of each split of a dataset.

    Args:
        root: Folder with `train/ [val/] [test/]`, or class folders, which are to be split.
        needs_train: Whether a root that contains val/ or test/ must also contain train/.
        key: Key of the configuration that names `root`, for messages.

    Returns:
        The folder of each split that exists. If there are none, all images are "train" and its
        folder is `root`.

    Raises:
        DataError: `root` is missing or empty, has no train/ although it needs one, has two folders
            for one split, or has another folder with images next to the splits.
    """
    if not root.is_dir():
        raise DataError(_missing(root, key))
    folders = folders_in(root)
    if not folders:
        raise DataError(f"{root} contains no folders. {_EXPECTED}")
    candidates: dict[Split, list[Path]] = {
        split: [folder for folder in folders if split_of(folder.name) == split]
        for split in SPLIT_FOLDERS
    }
    found = {split: _only(split, mine) for split, mine in candidates.items() if mine}
    if not found:
        _check_wrapped(folders, key)
        return {"train": root}
    if needs_train and "train" not in found:
        names = ", ".join(f"{folder.name}/" for folder in found.values())
        raise DataError(f"{root} contains {names} but no train/. {_EXPECTED}")
    _check_others(root, [folder for folder in folders if split_of(folder.name) is None])
    return found


def _only(split: Split, folders: list[Path]) -> Path:
    """Return the folder of a split; if there are several, the one that contains images."""
    filled = folders if len(folders) == 1 else [f for f in folders if has_images(f)]
    if len(filled) > 1:
        names = " and ".join(f"{folder.name}/" for folder in filled)
        raise DataError(
            f"{folders[0].parent} contains {names}, which all denote the split "
            f"'{split}'. Merge them into one folder, or move all but one out of the dataset."
        )
    return (filled or folders)[0]


def _check_others(root: Path, others: list[Path]) -> None:
    """Check that no other folder next to the splits contains images, which would be unused."""
    unused = [folder.name for folder in others if has_images(folder)]
    if unused:
        names = ", ".join(
            f"{names[0]}/ (or {', '.join(f'{n}/' for n in names[1:])})"
            for names in SPLIT_FOLDERS.values()
        )
        raise DataError(
            f"{root} contains images that belong to no split: {', '.join(f'{n}/' for n in unused)}."
            f" Split folders are named {names}. Rename each unused folder after its split, "
            f"merge it into a split folder, or move it out of {root}."
        )


def _check_wrapped(folders: list[Path], key: str) -> None:
    """Check that the split folders are not one level deeper."""
    for folder in folders:
        inside = [f for f in folders_in(folder) if split_of(f.name) == "train"]
        if len(folders) == 1 and inside:
            raise DataError(
                f"{folder.parent} contains only {folder.name}/, which contains the splits. Pass "
                f"{override(key, str(folder))}."
            )


_EXPECTED = (
    "Expected train/<class>/ and test/<class>/ (val/ is optional), or <class>/ folders to be split."
)


def _missing(root: Path, key: str) -> str:
    problem = "is a file, not a folder" if root.exists() else "does not exist"
    advice = f"Pass {key}=<folder>"
    if key == "data.root":
        advice += (
            ", download a public dataset with python -m xray.prepare, or use data=phantom, which "
            "needs no download"
        )
    return f"{key} {problem}: {root}. {_EXPECTED} {advice}."
