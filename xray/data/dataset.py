"""One split: its images, and their transforms."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, tensor
from torch.utils.data import Dataset

from xray.data.sampler import Key
from xray.data.transforms import SeededTransform
from xray.imaging.read import read_image
from xray.types import Batch, Sample


class SplitDataset(Dataset[Batch]):
    """The images of a split, as the network is given them.

    Args:
        samples: The split's images, in order.
        root: The dataset's root, above every image.
        train: Applied where the key names an epoch.
        evaluate: Applied where the key is a plain index.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        root: Path,
        train: SeededTransform,
        evaluate: SeededTransform,
    ) -> None:
        self.samples = list(samples)
        self.root = root
        self.train = train
        self.evaluate = evaluate

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

    def pixels(self, index: int) -> Tensor:
        """Load image `index` as it is for evaluation, (1, size, size) uint8."""
        return self.evaluate(read_image(self.samples[index].path))

    def augmented(self, index: int, epoch: int) -> Tensor:
        """Load image `index` as training sees it in `epoch`, (1, size, size) uint8."""
        return self.train(read_image(self.samples[index].path), epoch, index)

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
