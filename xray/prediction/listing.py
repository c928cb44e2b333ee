"""Find the images to predict: one file, a folder, a list of paths or a table."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from xray.data.names import is_hidden, is_mask_folder, mask_test
from xray.errors import DataError
from xray.imaging.format import sniff
from xray.imaging.read import IMAGE_SUFFIXES

LIST, TABLES = ".txt", (".csv", ".tsv")
COLUMNS = ("path", "file", "filename", "image", "image_path")
"""Column names for image paths in a table, in order of precedence."""


def list_images(source: Path, *, exclude: Path | None = None) -> Iterator[Path]:
    """List the images of a source, one at a time, so that memory does not grow with their number.

    A folder is searched recursively, in alphabetical order. Files with the suffix of an image are
    listed even if they are damaged; other files are listed if their content is an image (DICOM
    files often have no suffix). Hidden files and segmentation masks are skipped. Relative
    paths in a list or a table refer to the folder that contains it.

    Args:
        source: An image, a folder, a list of paths (.txt, one per line), or a table (.csv, .tsv)
            with a column "path", "file", "filename", "image" or "image_path".
        exclude: A folder that is not searched.

    Returns:
        Absolute paths. A list or a table can contain a path twice and paths of missing files.

    Raises:
        DataError: The source does not exist, or a table has no column of paths.
    """
    source = source.expanduser().absolute()
    if source.is_dir():
        return _in_folder(source, exclude.absolute() if exclude else None, [])
    if not source.exists():
        raise DataError(
            f"{source} does not exist. Pass an image, a folder, a list of paths (.txt), or a table "
            "with a column 'path' (.csv)."
        )
    suffix = source.suffix.lower()
    if suffix == LIST:
        return _in_list(source)
    return _in_table(source) if suffix in TABLES else iter([source])


def _in_folder(
    folder: Path, exclude: Path | None, parents: list[tuple[int, int]]
) -> Iterator[Path]:
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    # A link to a parent folder would be followed forever.
    if folder == exclude or identity in parents:
        return
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries)
    is_mask = mask_test([name for name, is_folder in found if not is_folder])
    for name, is_folder in found:
        if is_hidden(name) or (is_mask_folder(name) if is_folder else is_mask(name)):
            continue
        if is_folder:
            yield from _in_folder(folder / name, exclude, [*parents, identity])
        elif _is_image(folder / name):
            yield folder / name


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES or sniff(path) is not None


def _in_list(source: Path) -> Iterator[Path]:
    with source.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for line in file:
            if line.strip():
                yield source.parent / line.strip()


def _in_table(source: Path) -> Iterator[Path]:
    with source.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        delimiter = _delimiter(file.readline())
        file.seek(0)
        reader = csv.DictReader(file, delimiter=delimiter)
        columns = {name.strip().casefold(): name for name in reader.fieldnames or ()}
        column = next((columns[name] for name in COLUMNS if name in columns), None)
        if column is None:
            raise DataError(
                f"{source} has no column of image paths. Its columns are: "
                f"{', '.join(reader.fieldnames or ()) or 'none'}. Expected one of: "
                f"{', '.join(COLUMNS)}."
            )
        for row in reader:
            if (row[column] or "").strip():
                yield source.parent / row[column].strip()


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)
