"""Files in a dataset that are not used as images of a class, and the reasons.

Training and the audit both take them from here, while the class folders are listed for images.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xray.data.groups import Groups
from xray.data.names import is_hidden, is_mask_folder, is_noise, mask_test, split_of
from xray.errors import DataError, ImageError
from xray.imaging.format import open_image
from xray.imaging.read import IMAGE_SUFFIXES
from xray.integrity.findings import Finding
from xray.types import Split

IMAGE_LIKE = IMAGE_SUFFIXES | {
    ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".ima", ".j2k", ".jfif", ".jp2", ".jpe",
    ".mha", ".nii", ".npy", ".npz", ".nrrd", ".pgm", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip
"""Lower-case extensions of files that may be images, whether or not they can be read."""

Identity = tuple[int, int]
"""Device and inode of a folder: equal for a folder and a link to it."""


@dataclass(frozen=True, slots=True)
class Extraneous:
    """A file or folder that is not used.

    Attributes:
        path: Its path.
        kind: "mask" (a segmentation mask), "unread" (an image that is not read, such as a GIF),
            "outside" (an image outside the class folders), or "ignored" (any other file).
        reason: Why it is not used, as a clause.
    """

    path: Path
    kind: Literal["mask", "unread", "outside", "ignored"]
    reason: str

    def finding(self, root: Path, split: Split | Literal[""] = "") -> Finding:
        """Convert to a finding, with the path relative to the data root."""
        path = self.path.relative_to(root).as_posix()
        return Finding(self.kind, path, split=split, detail=self.reason)


def summarize(findings: Sequence[Finding]) -> dict[str, Any]:
    """Count the files that are not used.

    Returns:
        {"masks": n, "outside": n, "unread": {extension: n}}; the extension "" stands for none.
    """
    kinds = Counter(finding.kind for finding in findings)
    unread = Counter(Path(f.path).suffix.lower() for f in findings if f.kind == "unread")
    return {
        "masks": kinds["mask"],
        "outside": kinds["outside"],
        "unread": dict(sorted(unread.items())),
    }


def describe_unread(unread: Mapping[str, int]) -> str:
    """Write counts by extension as text: ".bmp 2, without extension 1"."""
    return ", ".join(f"{suffix or 'without extension'} {n:,}" for suffix, n in unread.items())


def is_image_like(name: str) -> bool:
    """Return whether a visible file has the extension of an image, readable or not."""
    return not is_hidden(name) and os.path.splitext(name)[1].lower() in IMAGE_LIKE  # noqa: PTH122


def has_images(folder: Path) -> bool:
    """Return whether a folder contains a file with the extension of an image, at any depth."""
    for _, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not is_noise(name)]
        if any(is_image_like(name) for name in files):
            return True
    return False


def find_outside(root: Path, layout: Mapping[Split, Path]) -> Iterator[Extraneous]:
    """Find files next to the class folders, in the root and in the folders of the splits.

    Args:
        root: Data root. Its folder `masks/` is skipped: it contains the masks of images.
        layout: Folder of each split, from `xray.data.layout.find_layout`.
    """
    for folder in dict.fromkeys((root, *layout.values())):
        files, folders = list_folder(folder)
        for name in sorted(files):
            if is_image_like(name):
                yield Extraneous(folder / name, "outside", "an image outside the class folders")
        for name in sorted(folders):
            if is_hidden(name):
                yield _hidden_folder(folder / name)
            elif is_mask_folder(name) and (folder, name.lower()) != (root, "masks"):
                yield from _masks_in(folder / name)


class ClassFiles:
    """The files below one class folder, at any depth.

    Folders of any name may contain images, for example one folder for each patient. Masks and
    hidden files are skipped, as are links to a folder that contains the link.

    Args:
        folder: The class folder.
        groups: Folder names of each class.

    Attributes:
        extraneous: Files and folders that are not used.

    Raises:
        DataError: A folder with images has the name of a split or of another class, or a folder
            cannot be listed.
    """

    def __init__(self, folder: Path, groups: Groups) -> None:
        self.folder = folder
        self.groups = groups
        self.extraneous: list[Extraneous] = []
        self._found: list[tuple[str, list[str]]] = []
        real = folder.resolve()
        self._walk(folder, frozenset(map(_identity, (real, *real.parents))))

    @property
    def images(self) -> Iterator[Path]:
        """Image files, sorted by folder and then by name, as torchvision's ImageFolder sorts."""
        for folder, names in sorted(self._found):
            yield from (Path(folder, name) for name in sorted(names))

    def _walk(self, folder: Path, above: frozenset[Identity]) -> None:
        files, folders = list_folder(folder)
        self._found.append((str(folder), self._images_among(folder, files)))
        for name in sorted(folders):
            inner = folder / name
            if is_hidden(name):
                self.extraneous.append(_hidden_folder(inner))
            elif is_mask_folder(name):
                self.extraneous += _masks_in(inner)
            elif (identity := _identity(inner)) in above:
                reason = "a link to a folder that contains it"
                self.extraneous.append(Extraneous(inner, "ignored", reason))
            else:
                self._check_name(inner)
                self._walk(inner, above | {identity})

    def _images_among(self, folder: Path, names: Sequence[str]) -> list[str]:
        """Return the names of images, and record all other files as extraneous."""
        images, is_mask = [], mask_test(names)
        for name in names:
            if is_image_like(name) and is_mask(name):
                self.extraneous.append(Extraneous(folder / name, "mask", "is named like a mask"))
            elif is_image_like(name) and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                images.append(name)
            else:
                self.extraneous.append(_describe(folder / name))
        return images

    def _check_name(self, inner: Path) -> None:
        """Raise an error if a folder with images is named like a split or another class."""
        split, target = split_of(inner.name), self.groups.find(inner.name)
        if split is None and target in (None, self.groups.find(self.folder.name)):
            return
        if not has_images(inner):
            return
        if split is not None:
            above = self.folder.parent
            base = above if split_of(above.name) is None else above.parent
            place = base / inner.name / self.folder.name
            raise DataError(
                f"{inner} is named like a split, but it is inside the class folder {self.folder}. "
                f"A split folder contains class folders: move its images to {place}, or rename "
                "the folder if it is not a split."
            )
        assert target is not None
        own = self.groups.classes[self.groups.index(self.folder)]
        raise DataError(
            f"{inner} is named like the class '{self.groups.classes[target]}', but it is inside "
            f"{self.folder}, a folder of the class '{own}'. Move it to "
            f"{self.folder.parent / inner.name}, or rename it if its images belong to '{own}'."
        )


def list_folder(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the files and of the folders in a folder, in any order.

    Raises:
        DataError: The folder cannot be listed.
    """
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                (folders if _is_folder(entry) else files).append(entry.name)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be listed ({error.strerror}). Check its permissions, or move it out "
            "of the dataset."
        ) from error
    return files, folders


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link to itself; reading it as an image describes the problem.
        return False


def _identity(folder: Path) -> Identity:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _hidden_folder(folder: Path) -> Extraneous:
    reason = "a hidden folder" if folder.name.startswith(".") else "archive metadata"
    return Extraneous(folder, "ignored", reason)


def _masks_in(folder: Path) -> Iterator[Extraneous]:
    for here, _, files in os.walk(folder):
        for name in sorted(files):
            if is_image_like(name):
                yield Extraneous(Path(here, name), "mask", "is in a folder of masks")


def _describe(path: Path) -> Extraneous:
    """Describe a file in a class folder that does not have the extension of a readable image."""
    if is_hidden(path.name):
        return Extraneous(path, "ignored", "a hidden file")
    try:
        with open_image(path) as (_, kind):
            reason = f"contains a {kind} image: rename it with a matching extension to use it"
            return Extraneous(path, "unread", reason)
    except ImageError as error:
        return Extraneous(path, "unread" if is_image_like(path.name) else "ignored", error.reason)
