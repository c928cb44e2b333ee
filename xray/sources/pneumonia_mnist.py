"""PneumoniaMNIST: the images of kermany, cropped to squares of 28 to 224 pixels."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from xray.errors import DataError
from xray.sources.base import About, Item
from xray.sources.files import images_in
from xray.transfer.fetch import fetch
from xray.types import SPLITS

_URL = "https://zenodo.org/records/10519652/files/{name}?download=1"
# From the medmnist package.
_MD5 = {
    28: "28209eda62fecd6e6a2d98b1501bb15f",
    64: "8f4eceb4ccffa70c672198ea285246c6",
    128: "05b46931834c231683c68f40c47b2971",
    224: "d6a3c71de1b945ea11211b03746c1fe1",
}
# Images with fewer than 32 pixels on a side are not read: 28 pixels become 56.
_ENLARGED = {28: 56}
_LABELS = ("normal", "pneumonia")
# Errors that numpy raises for damaged files and for files of other kinds.
_UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PneumoniaMnist:
    """PneumoniaMNIST, with its own split into train, val and test.

    Args:
        path: Local .npz file, or a folder that contains it; None: download from Zenodo.
        resolution: Side of the images, pixels: 28 (written as 56), 64, 128 or 224.
    """

    about: ClassVar = About(
        title="PneumoniaMNIST (MedMNIST v2)",
        page="https://zenodo.org/records/10519652",
        license="CC BY 4.0",
        citation="Yang J et al. MedMNIST v2: A large-scale lightweight benchmark for 2D and 3D "
        "biomedical image classification. Scientific Data 10:41, 2023. Its images: Kermany DS et "
        "al., https://doi.org/10.17632/rscbjbr9sj.2",
        size="5,856 images, 4 MB (28 px) to 0.2 GB (224 px)",
        patients="Unknown: each image counts as one patient, and images of one child may be in "
        "both train and val.",
        classes={label: label for label in _LABELS},
    )

    path: str | None = None
    resolution: int = 224

    @property
    def name(self) -> str:
        """Name of the array file."""
        return f"pneumoniamnist{'' if self.resolution == 28 else f'_{self.resolution}'}.npz"  # noqa: PLR2004

    def open(self, downloads: Path, work: Path) -> Path:
        """Write the arrays as PNG; the MD5 sum of a downloaded file is checked."""
        if self.path is None:
            url = _URL.format(name=self.name)
            file = fetch(url, downloads / self.name, page=self.about.page)
            _check_sum(file, _MD5[self.resolution])
        else:
            file = Path(self.path).expanduser()
            file = file / self.name if file.is_dir() else file
        for split in SPLITS:
            images, labels = self._arrays(file, split)
            for label in _LABELS:
                (work / split / label).mkdir(parents=True)
            for i, (image, label) in enumerate(zip(images, labels, strict=True)):
                _write(work / split / _LABELS[label] / f"{split}_{i:05d}.png", image)
        return work

    def items(self, root: Path) -> Iterator[Item]:
        """List the images that `open` wrote."""
        for split in SPLITS:
            for path in images_in(root / split):
                yield Item(path, path.parent.name, split=split)

    def _arrays(self, file: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        try:
            # np.load does not close a file that it cannot read.
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        except _UNREADABLE as error:
            raise DataError(
                f"{file} does not contain the arrays of PneumoniaMNIST ({error}). Download "
                f"{self.name} from {self.about.page}, and pass path=<that file>."
            ) from error
        self._check(file, split, images, labels)
        return images, labels.ravel()

    def _check(self, file: Path, split: str, images: Any, labels: Any) -> None:
        side, count = self.resolution, len(images)
        is_image = images.dtype == np.uint8 and images.shape == (count, side, side)
        if not is_image or labels.shape != (count, 1) or not np.isin(labels, (0, 1)).all():
            raise DataError(
                f"{file}: {split} has images {images.shape} {images.dtype} and labels "
                f"{labels.shape}; expected (n, {side}, {side}) uint8 and (n, 1), 0 or 1. For "
                "another size pass source.pneumonia_mnist.resolution=28, 64, 128 or 224."
            )


def _check_sum(file: Path, md5: str) -> None:
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        file.unlink()
        raise DataError(
            f"{file} was not the published file (MD5 {found}, expected {md5}) and was deleted. Run "
            "the command again to download it."
        )


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    side = _ENLARGED.get(len(image))
    if side:
        image = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
