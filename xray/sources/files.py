"""Images and folders in an unpacked dataset."""

from collections.abc import Iterator
from pathlib import Path

from xray.data.names import folders_in, is_noise
from xray.errors import DataError
from xray.imaging.format import sniff
from xray.imaging.read import IMAGE_SUFFIXES

OTHER_SUFFIXES = frozenset({".gif", ".jp2"})
CANDIDATES = IMAGE_SUFFIXES | OTHER_SUFFIXES
"""Suffixes of images. Those that cannot be read are listed as rejected instead of ignored."""


def images_in(folder: Path) -> Iterator[Path]:
    """Yield the images below a folder, sorted, without hidden files, archive metadata and masks.

    A file with another suffix, or none, is an image if its content is. Links to folders are not
    followed.
    """
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(is_noise(part) for part in parts):
            continue
        if path.suffix.lower() in CANDIDATES or (path.is_file() and sniff(path)):
            yield path


def find_folder(root: Path, names: tuple[str, ...], page: str) -> Path:
    """Find the folder that contains all these names; archives often wrap it in other folders.

    Args:
        root: Where the search starts. Outer folders are preferred.
        names: Names of files or folders.
        page: Download page of the dataset, for the message.

    Raises:
        DataError: There is no such folder.
    """
    level = [root]
    while level:
        for folder in level:
            if all((folder / name).exists() for name in names):
                return folder
        level = [inner for folder in level for inner in folders_in(folder)]
    raise DataError(
        f"{root} contains no folder with {', '.join(names)}, which this dataset has. Pass "
        f"path=<the complete download of {page}>."
    )
