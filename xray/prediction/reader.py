"""Read images for prediction, in loader processes that work while the network computes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from xray.data.transforms import SeededTransform
from xray.errors import ConfigError, ImageError
from xray.imaging.read import load_image
from xray.integrity.statistics import Reference, image_statistics

Paths = Callable[[], Iterator[Path]]
"""Lists paths; each loader process calls it once."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageRecord:
    """One image as it was read.

    Attributes:
        path: The file; None for an array.
        pixels: (1, size, size) uint8, the input of the network; None if it cannot be read.
        size: Height and width of the file's image in pixels.
        warnings: Sentences on differences from the training images and on the file.
        error: Why the image cannot be read.
    """

    path: Path | None
    pixels: Tensor | None
    size: tuple[int, int] | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ImageBatch:
    """Images that are predicted together.

    Attributes:
        records: B records, readable or not, without their pixels.
        images: (N, 1, size, size) uint8, the readable ones, N <= B.
    """

    records: Sequence[ImageRecord]
    images: Tensor


@dataclass(frozen=True)
class Reader:
    """Reads an image as the network expects it.

    Args:
        transform: The evaluation transform.
        reference: Usual statistics of the training images; None: images are not compared to them.
    """

    transform: SeededTransform
    reference: Reference | None = None

    def load(self, path: Path) -> ImageRecord:
        """Read an image file.

        Raises:
            ImageError: The file cannot be read.
            ConfigError: The transform does not return images of the network's input size.
        """
        loaded = load_image(path, color=self.reference is not None)
        return self.prepare(loaded.pixels, path, color=loaded.color, notes=loaded.notes)

    def read(self, path: Path) -> ImageRecord:
        """Read an image file; a file that cannot be read is a record with an error.

        Raises:
            ConfigError: The transform does not return images of the network's input size.
        """
        try:
            return self.load(path)
        except ImageError as error:
            return ImageRecord(path, None, error=f"The file {error.reason}. {error.advice}")
        except ConfigError:
            raise
        except Exception as error:
            # One unexpected file must not end a run over thousands. The message is omitted: a
            # decoder may quote the content of the file, and that can identify a patient.
            reason = f"The file cannot be read ({type(error).__name__})."
            return ImageRecord(path, None, error=reason)

    def prepare(
        self,
        image: NDArray[np.uint8],
        path: Path | None = None,
        *,
        color: float = 0.0,
        notes: Sequence[str] = (),
    ) -> ImageRecord:
        """Transform an image and compare it with the training images.

        Args:
            image: (H, W) uint8.
            path: Its file.
            color: Share of colored pixels in [0, 1].
            notes: Sentences on the file.
        """
        height, width = image.shape
        found: Sequence[str] = ()
        if self.reference is not None:
            found = self.reference.unusual(image_statistics(image, color=color))
        pixels = self.transform(image)
        return ImageRecord(path, pixels, (height, width), warnings=(*notes, *found))


def make_batch(records: Sequence[ImageRecord], size: int) -> ImageBatch:
    """Stack the readable images of some records."""
    images = [record.pixels for record in records if record.pixels is not None]
    stacked = torch.stack(images) if images else torch.empty(0, 1, size, size, dtype=torch.uint8)
    rows = [
        ImageRecord(r.path, None, size=r.size, warnings=r.warnings, error=r.error) for r in records
    ]
    return ImageBatch(rows, stacked)


def load_batches(
    paths: Paths, reader: Reader, *, batch_size: int, workers: int
) -> Iterator[ImageBatch]:
    """Read images in batches, in order.

    Args:
        paths: Lists the same paths in every process.
        reader: Reads one image.
        batch_size: Images per batch.
        workers: Loader processes; 0: the calling process reads.
    """
    return iter(
        DataLoader(
            _Batches(paths, reader, batch_size),
            batch_size=None,
            num_workers=workers,
            pin_memory=False,
            prefetch_factor=4 if workers else None,
        )
    )


class _Batches(IterableDataset[ImageBatch]):
    """Each of W loader processes reads every W-th batch; the loader restores their order."""

    def __init__(self, paths: Paths, reader: Reader, batch_size: int) -> None:
        self.paths, self.reader, self.batch_size = paths, reader, batch_size

    def __iter__(self) -> Iterator[ImageBatch]:
        worker = get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        paths, position = self.paths(), 0
        while batch := list(islice(paths, self.batch_size)):
            if position % count == number:
                records = [self.reader.read(path) for path in batch]
                yield make_batch(records, self.reader.transform.size)
            position += 1
