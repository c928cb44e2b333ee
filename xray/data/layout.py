"""Which folders below a data root are which split."""

from pathlib import Path

from xray.data.groups import folders_in
from xray.errors import DataError
from xray.types import Split

NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def find_layout(root: Path, *, needs_train: bool = True) -> dict[Split, Path]:
    """Find the split folders of a dataset.

    Args:
        root: Holds `train/ [val/] [test/]`, or class folders to be split.
        needs_train: Whether a root that holds val/ or test/ must hold train/ too.

    Returns:
        The folder of each split that exists; a flat root is all "train".

    Raises:
        DataError: When `root` is missing, empty, or lacks a train/ that it needs.
    """
    if not root.is_dir():
        raise DataError(_missing(root))
    folders = {f.name.lower(): f for f in folders_in(root)}
    if not folders:
        raise DataError(f"{root} holds no folders. {_EXPECTED}")
    found = {split: folders[n] for split, names in NAMES.items() for n in names if n in folders}
    if needs_train and found and "train" not in found:
        raise DataError(
            f"{root} holds {', '.join(f.name for f in found.values())}/ but no train/. {_EXPECTED}"
        )
    if not found and len(folders) == 1:
        inner = next(iter(folders.values()))
        if any((inner / name).is_dir() for names in NAMES.values() for name in names):
            raise DataError(
                f"{root} holds only {inner.name}/, which holds the splits. Pass data.root={inner}."
            )
    return found or {"train": root}


_EXPECTED = (
    "Expected train/<class>/ and test/<class>/ (val/ is optional), or <class>/ folders to be split."
)


def _missing(root: Path) -> str:
    what = "is a file, not a folder" if root.exists() else "does not exist"
    return (
        f"data.root {what}: {root}. {_EXPECTED} "
        "Pass data.root=<your folder>, fetch a public set with python -m xray.prepare, or use "
        "data=phantom, which needs no download."
    )
