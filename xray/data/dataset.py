"""One split: its images, and their transforms."""

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
    """Images that are decoded already, by their position in a split."""

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Give image `index`, (H, W) uint8, writable."""


class SplitDataset(Dataset[Batch]):
    """The images of a split, as the network is given them.

    Args:
        samples: The split's images, in order.
        root: The dataset's root, above every image.
        train: Applied where the key names an epoch.
        evaluate: Applied where the key is a plain index.
        stored: Images that stand in for the files; `train` and `evaluate` go on from them.
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
        """Load one image: (1, size, size) uint8, augmented where `key` is (epoch, index)."""
        epoch, index = key if isinstance(key, tuple) else (None, key)
        image = self.pixels(index) if epoch is None else self.augmented(index, epoch)
        return {
            "image": image,
            "target": tensor(self.samples[index].target),
            "index": tensor(index),
        }

    def store(self, stored: Pixels, steps: int) -> None:
        """Read no file any more.

        Args:
            stored: Every image after the first `steps` of the transforms.
            steps: How many, of both lists; no draw changes where they draw nothing.
        """
        self.stored = stored
        self.train, self.evaluate = self.train.after(steps), self.evaluate.after(steps)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Load image `index` as the transforms are given it, (H, W) uint8."""
        if self.stored is not None:
            return self.stored[index]
        return read_image(self.samples[index].path)

    def pixels(self, index: int) -> Tensor:
        """Load image `index` as it is for evaluation, (1, size, size) uint8."""
        return self.evaluate(self.image(index))

    def fitted(self, mask: NDArray[np.uint8]) -> Tensor:
        """Bring what was drawn beside an image to where `pixels` has it, (1, size, size) uint8.

        Args:
            mask: (H, W), as large as a file's image, even where images are stored.
        """
        return self.whole(mask)

    def augmented(self, index: int, epoch: int) -> Tensor:
        """Load image `index` as training sees it in `epoch`, (1, size, size) uint8."""
        return self.train(self.image(index), epoch, index)

    def digest(self, *, times: bool = False) -> str:
        """Hash the list of files: SHA-256 in hex.

        Args:
            times: Whether a file's time of change counts, beside its path below the root, its size
                in bytes and its class; then the hash holds on this machine only.
        """
        digest = hashlib.sha256()
        for sample in self.samples:
            status = sample.path.stat()
            fields = [sample.path.relative_to(self.root).as_posix(), status.st_size, sample.target]
            digest.update(f"{fields}{status.st_mtime_ns if times else ''}\n".encode())
        return digest.hexdigest()
