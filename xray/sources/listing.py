"""Finding folders, images and tables in what was unpacked."""

import csv
from collections.abc import Iterator
from pathlib import Path

from xray.data.groups import folders_in, is_noise
from xray.errors import DataError
from xray.imaging.format import sniff
from xray.imaging.read import IMAGE_SUFFIXES

OTHER_SUFFIXES = frozenset({".bmp", ".gif", ".jp2", ".tif", ".tiff", ".webp"})
CANDIDATES = IMAGE_SUFFIXES | OTHER_SUFFIXES
"""Suffixes of images, read or not: one that is not read is rejected by name, not passed over."""


def images_in(folder: Path) -> Iterator[Path]:
    """Yield the images below a folder, sorted; hidden files, archive litter and masks are not.

    A file of another suffix, or of none, is one by its content. Links to folders are not followed.
    """
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(is_noise(part) for part in parts):
            continue
        if path.suffix.lower() in CANDIDATES or (path.is_file() and sniff(path)):
            yield path


def find_folder(root: Path, names: tuple[str, ...], page: str) -> Path:
    """Find the folder that holds all these names; archives often wrap it once or twice.

    Args:
        root: Where to look; itself first, then what is less deep before what is deeper.
        names: Of files or folders, as they are spelled.
        page: Of the dataset, for the message.

    Raises:
        DataError: There is none.
    """
    level = [root]
    while level:
        for folder in level:
            if all((folder / name).exists() for name in names):
                return folder
        level = [inner for folder in level for inner in folders_in(folder)]
    raise DataError(
        f"{root} holds no folder with {', '.join(names)}, which this dataset has. Check that "
        f"path= is what {page} gives, whole."
    )


def read_table(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Yield the lines of a CSV file, column -> cell without blanks around it.

    Args:
        path: The file.
        columns: That it must have.

    Raises:
        DataError: It cannot be read, or lacks one of them.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"{path} has no column '{', '.join(missing)}'; it has: "
                    f"{', '.join(reader.fieldnames or ()) or 'none'}. Name the columns so."
                )
            for line in reader:
                yield {key: (cell or "").strip() for key, cell in line.items() if key is not None}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}). Pass another file.") from error
