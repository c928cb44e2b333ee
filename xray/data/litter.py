"""Files below a data root that are no images of any class: listed, never used."""

import os
from collections.abc import Iterator
from pathlib import Path

from xray.data.groups import is_noise
from xray.data.layout import find_layout
from xray.errors import ImageError
from xray.imaging.format import open_image
from xray.imaging.read import IMAGE_SUFFIXES
from xray.integrity.findings import Finding

_MASKS = "masks"


def find_litter(root: Path) -> Iterator[Finding]:
    """List what lies among a dataset's images and is passed over.

    Masks are no litter; files directly in the root or in a split's folder, and beside the splits'
    folders, are only if they are images, since a dataset may be described there.

    Args:
        root: See `xray.data.layout.find_layout`.

    Yields:
        Findings of the kind "ignored", sorted by path.
    """
    splits = set(find_layout(root).values())
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if name.casefold() != _MASKS)
        for name in list(folders):
            reason = _folder_reason(here / name)
            if reason:
                folders.remove(name)
                yield _ignored(root, here / name, reason)
        for name in sorted(files):
            reason = _file_reason(here / name, in_class=not splits.isdisjoint(here.parents))
            if reason:
                yield _ignored(root, here / name, reason)


def _ignored(root: Path, path: Path, reason: str) -> Finding:
    return Finding("ignored", path.relative_to(root).as_posix(), detail=reason)


def _folder_reason(path: Path) -> str:
    if path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve()):
        return "a link to a folder that holds it"
    if is_noise(path.name):
        return "archive litter" if path.name.casefold() == "__macosx" else "a hidden folder"
    return ""


def _file_reason(path: Path, *, in_class: bool) -> str:
    if is_noise(path.name):
        return "a hidden file"
    is_image = path.suffix.lower() in IMAGE_SUFFIXES
    if is_image:
        return "" if in_class else "an image outside the class folders"
    if not in_class:
        return ""
    try:
        with open_image(path) as (_, kind):
            return f"is {kind} by its content: give it that ending to have it read"
    except ImageError as error:
        return error.reason
