"""Activations on disk, as a dataset."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from xray.caching.record import Stored
from xray.data.dataset import SplitDataset
from xray.data.sampler import Key
from xray.types import Batch

# NumPy has no bfloat16: its bits are stored.
STORED: dict[torch.dtype, np.dtype[Any]] = {
    torch.bfloat16: np.dtype(np.uint16),
    torch.float16: np.dtype(np.float16),
    torch.float32: np.dtype(np.float32),
    torch.uint8: np.dtype(np.uint8),
}


def to_stored(batch: Tensor, dtype: torch.dtype) -> NDArray[Any]:
    """Lay a batch out as it is stored: (B, C, h, w) as (B, h, w, C), others as they are.

    That is how the network computes it and how it wants it back, so that neither way copies.
    """
    rows = batch.to(dtype)
    rows = (rows.permute(0, 2, 3, 1) if rows.ndim == 4 else rows).contiguous().cpu()  # noqa: PLR2004
    bits: NDArray[Any] = (rows.view(torch.uint16) if dtype == torch.bfloat16 else rows).numpy()
    return bits


class FeatureDataset(Dataset[Batch]):
    """A split as activations at the cut, in place of its pixels.

    Args:
        split: The images.
        array: (views, N, h, w, C), or (views, N, F) where the activations are pooled.
        dtype: Of the activations.
        held: Kept alive as long as the dataset: what holds the array against eviction.
    """

    def __init__(
        self, split: SplitDataset, array: Stored, dtype: torch.dtype, held: object = None
    ) -> None:
        self.array, self.dtype, self._held = array, dtype, held
        self.targets = torch.tensor([sample.target for sample in split.samples])

    def __len__(self) -> int:
        return len(self.targets)

    def __getitems__(self, keys: list[int | Key]) -> Batch:
        """Gather a batch; epoch e takes view e modulo their number, a plain index the first."""
        pairs = [key if isinstance(key, tuple) else (0, key) for key in keys]
        views = [epoch % len(self.array) for epoch, _ in pairs]
        index = torch.tensor([i for _, i in pairs])
        rows = torch.from_numpy(self.array[views, index.numpy()])
        features = rows.view(torch.bfloat16) if self.dtype == torch.bfloat16 else rows
        if features.ndim == 4:  # noqa: PLR2004
            features = features.permute(0, 3, 1, 2)
        return {"features": features, "target": self.targets[index], "index": index}
