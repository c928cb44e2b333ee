"""Dataset of one split: images and their transforms."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, tensor
from torch.utils.data import Dataset

from xray.data.sampler import Key
from xray.data.transforms import SeededTransform
from xray.imaging.read import read_image
from xray.types import Batch, Sample


class Pixels(Protocol):
    """Decoded images, by their position in a split."""

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return image `index`, (H, W) uint8, writable."""


class SplitDataset(Dataset[Batch]):
    """Images of a split, prepared for the network.

    Args:
        samples: Images of the split, in order.
        root: Data root, which contains every image.
        train: Transform for keys (epoch, index).
        evaluate: Transform for keys that are a plain index.
        stored: Decoded images that replace the files; `train` and `evaluate` continue from them.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        root: Path,
        train: SeededTransform,
        evaluate: SeededTransform,
        stored: Pixels | None = None,
    ) -> None:
        self.samples = list(samples)
        self.root = root
        self.train = train
        self.evaluate = evaluate
        self.stored = stored
        self.whole = evaluate

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: int | Key) -> Batch:
        """Load one image, (1, size, size) uint8; it is augmented if `key` is (epoch, index)."""
        epoch, index = key if isinstance(key, tuple) else (None, key)
        image = self.pixels(index) if epoch is None else self.augmented(index, epoch)
        return {
            "image": image,
            "target": tensor(self.samples[index].target),
            "index": tensor(index),
        }

    def store(self, stored: Pixels, steps: int) -> None:
        """Read decoded images instead of files from now on.

        Args:
            stored: Every image after the first `steps` of the transforms.
            steps: Number of leading steps that both transforms share. They must draw no random
                numbers, so that all other draws stay the same.
        """
        self.stored = stored
        self.train, self.evaluate = self.train.after(steps), self.evaluate.after(steps)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Load image `index` as the input of the transforms, (H, W) uint8."""
        if self.stored is not None:
            return self.stored[index]
        return read_image(self.samples[index].path)

    def pixels(self, index: int) -> Tensor:
        """Load image `index` for evaluation, (1, size, size) uint8."""
        return self.evaluate(self.image(index))

    def fitted(self, mask: NDArray[np.uint8]) -> Tensor:
        """Transform a mask in the same way as `pixels` transforms its image.

        Args:
            mask: (H, W) uint8, in the size of the image file, even if images are stored decoded.

        Returns:
            (1, size, size) uint8.
        """
        return self.whole(mask)

    def augmented(self, index: int, epoch: int) -> Tensor:
        """Load image `index` as augmented for training in `epoch`, (1, size, size) uint8."""
        return self.train(self.image(index), epoch, index)

    def digest(self, *, times: bool = False) -> str:
        """Return the SHA-256 of the list of files, hexadecimal.

        It covers the path relative to the data root, the size in bytes and the class of each file.

        Args:
            times: Whether modification times are included; the hash is then only valid on this
                machine.
        """
        digest = hashlib.sha256()
        for sample in self.samples:
            status = sample.path.stat()
            fields = [sample.path.relative_to(self.root).as_posix(), status.st_size, sample.target]
            digest.update(f"{fields}{status.st_mtime_ns if times else ''}\n".encode())
        return digest.hexdigest()
