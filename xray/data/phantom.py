"""Default dataset: phantoms, which are drawn when they are first needed."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xray.data.datamodule import XrayDataModule
from xray.data.extraneous import IMAGE_LIKE
from xray.data.groups import Groups
from xray.data.names import folders_in, is_noise, split_of
from xray.errors import DataError
from xray.phantom.tree import DRAWING_VERSION, write_phantom_tree
from xray.suggest import override
from xray.types import Split

PREFIX = "phantoms-"
"""Start of the name of a folder of phantoms."""


class PhantomDataModule(XrayDataModule):
    """Data module of phantoms, drawn into a folder that is named after their settings.

    Args:
        root: Folder of all phantom datasets.
        patients: Number of patients in each split.
        views: Images per patient.
        drawing_seed: Seed of the drawing, independent of the seeds of splits and training.
        size: Side length of the images, pixels.
        **options: See `XrayDataModule`.
    """

    def __init__(
        self,
        root: str | Path,
        *args: Any,
        patients: Mapping[Split, int],
        views: int,
        drawing_seed: int,
        size: int,
        **options: Any,
    ) -> None:
        self.drawing: dict[str, Any] = {
            "patients": dict(patients),
            "views": views,
            "size": size,
            "seed": drawing_seed,
        }
        key = json.dumps([DRAWING_VERSION, self.drawing], sort_keys=True)
        name = f"{PREFIX}{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        super().__init__(Path(root) / name, *args, size=size, **options)

    def prepare_data(self) -> None:
        """Draw the phantoms if they do not exist yet.

        Raises:
            DataError: The folder holds images of the user, or cannot be written to.
        """
        check_holds_no_images(self.root.parent, self.groups)
        write_phantom_tree(self.root, **self.drawing)


def check_holds_no_images(folder: Path, groups: Groups) -> None:
    """Check that phantoms are not drawn into, and trained on in place of, a dataset.

    Datasets in subfolders with other names than splits and classes are allowed: the default folder
    holds prepared datasets next to the phantoms.

    Args:
        folder: Folder to draw into; it need not exist.
        groups: Names of class folders.

    Raises:
        DataError: The folder holds images, class folders or split folders.
    """
    found = next(_images(folder, groups), None) if folder.is_dir() else None
    if found is not None:
        raise DataError(
            f"data.root={folder} holds images ({found.relative_to(folder)}), but data=phantom "
            "draws its own images there and trains on them. To train on your images, pass: "
            f"data=folder {override('data.root', str(folder))}. To draw phantoms, pass a folder "
            "without images."
        )


def _images(folder: Path, groups: Groups) -> Iterator[Path]:
    """List the images in a folder, its class and split folders at any depth, and its subfolders."""
    yield from _files(folder.iterdir())
    for inner in folders_in(folder):
        if inner.name.startswith(PREFIX):
            continue
        named = split_of(inner.name) is not None or groups.find(inner.name) is not None
        dataset = any(split_of(child.name) is not None for child in folders_in(inner))
        yield from _files(inner.rglob("*") if named and not dataset else inner.iterdir())


def _files(paths: Iterator[Path]) -> Iterator[Path]:
    return (p for p in paths if p.suffix.lower() in IMAGE_LIKE and not is_noise(p.name))
