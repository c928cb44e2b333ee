"""Activations on disk, as one memory map a split."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from xray.data.dataset import SplitDataset
from xray.data.sampler import Key
from xray.types import Batch

Activations = NDArray[np.generic]
# NumPy has no bfloat16: its bits are stored.
_STORED: dict[torch.dtype, np.dtype[Any]] = {
    torch.bfloat16: np.dtype(np.uint16),
    torch.float16: np.dtype(np.float16),
    torch.float32: np.dtype(np.float32),
}


class FeatureWriter:
    """A memory map being filled, which takes its name only when it is complete.

    Args:
        path: Where the finished file goes (.npy).
        shape: (views, N, C, h, w).
        dtype: Of the activations.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self.path, self.dtype = path, dtype
        self.part = path.with_name(f".{path.name}.{uuid4().hex}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.array: Activations = np.lib.format.open_memmap(self.part, "w+", _STORED[dtype], shape)

    def write(self, view: int, start: int, activations: Tensor) -> None:
        """Store a batch, (B, C, h, w), from sample `start` on."""
        rows = activations.to(self.dtype).contiguous().cpu()
        bits = rows.view(torch.uint16) if self.dtype == torch.bfloat16 else rows
        self.array[view, start : start + len(rows)] = bits.numpy()

    def close(self, description: dict[str, object]) -> None:
        """Give the finished file its name, with a description beside it."""
        assert isinstance(self.array, np.memmap)
        self.array.flush()
        self.path.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")
        self.part.replace(self.path)

    def discard(self) -> None:
        """Drop what an interrupted fill wrote."""
        self.part.unlink(missing_ok=True)


def open_features(path: Path, dtype: torch.dtype, shape: tuple[int, ...]) -> Activations | None:
    """Open a finished memory map; None when there is none, or it is not what is expected."""
    try:
        array: Activations = np.load(path, mmap_mode="r")
    except (OSError, ValueError):
        return None
    return array if array.shape == shape and array.dtype == _STORED[dtype] else None


class FeatureDataset(Dataset[Batch]):
    """A split as activations at the cut, in place of its pixels.

    Args:
        split: The images.
        array: (views, N, C, h, w), as `open_features` gives it.
        dtype: Of the activations.
    """

    def __init__(self, split: SplitDataset, array: Activations, dtype: torch.dtype) -> None:
        self.array, self.dtype = array, dtype
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
        return {"features": features, "target": self.targets[index], "index": index}
