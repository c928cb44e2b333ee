"""`images=<folder>`: find the images of a run that were moved after training."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from xray.errors import RunError
from xray.runs import layout


def locate_images(run: Path, folder: Path) -> Path:
    """Check that a folder holds the images of a run.

    The paths are compared here, since a wrong folder should be refused before it is read. Sizes and
    classes are compared with data.json when the images are opened.

    Args:
        run: A run directory.
        folder: Folder that should hold the images, in the same subfolders as during training.

    Returns:
        The absolute folder, as a value of `data.root`.

    Raises:
        RunError: The folder does not exist, or an image that the run predicted is not in it.
    """
    folder = folder.expanduser().resolve()
    advice = f"Pass the folder that holds the images of {run} now: images=<folder>."
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise RunError(f"images={folder} {what}. {advice}")
    name = _root_name(run)
    drawn = name.startswith("phantoms-")
    if drawn and folder.name == name:
        # The data module of phantoms takes the folder above the drawn one.
        folder = folder.parent
    root = folder / name if drawn else folder
    missing = next((name for paths in _predicted(run) for name in _missing(root, paths)), None)
    if missing is not None:
        raise RunError(
            f"images={folder} does not hold the images of the run: {missing} is missing. {advice}"
        )
    return folder


def _root_name(run: Path) -> str:
    """Return the name of the folder of images in data.json; empty if unknown."""
    try:
        found = json.loads((run / layout.DATA).read_text(encoding="utf-8"))
        return str(found["root"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def _predicted(run: Path) -> Iterator[list[PurePath]]:
    """List the paths of the predicted images of each split, as they were when it was predicted.

    A split that was evaluated after the images were moved has other folders than the others.
    """
    for split in ("test", "val"):
        path = run / layout.predictions(split)
        if path.is_file():
            with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
                yield [PurePath(row["path"]) for row in csv.DictReader(file)]


def _missing(root: Path, paths: list[PurePath]) -> Iterator[str]:
    """List the images that are not below a folder, relative to the folder common to all."""
    if not paths:
        return
    common = len(PurePath(os.path.commonpath([path.parent for path in paths])).parts)
    for path in paths:
        # All images may be of one split, whose folder is then part of the relative path.
        places = (PurePath(*path.parts[i:]) for i in range(1, common + 1))
        if not any((root / place).is_file() for place in places):
            yield PurePath(*path.parts[common:]).as_posix()
