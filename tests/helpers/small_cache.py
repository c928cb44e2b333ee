"""Small caches for tests, and tools to fill and damage them."""

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xray.caching.activations import FeatureCache
from xray.caching.entry import Entry, package_versions
from xray.caching.record import Record, checksum
from xray.data.datamodule import XrayDataModule
from xray.model.classifier import XrayClassifier

TREE = {
    f"{split}/{label}": 4 for split in ("train", "val", "test") for label in ("normal", "covid")
}


def build(root: Path, transforms: Any, **options: Any) -> XrayDataModule:
    """Return a data module of 32 px images with two classes."""
    groups = {"normal": [], "covid": []}
    settings = {"size": 32, "batch_size": 4, "workers": 0, "min_val": 0, **options}
    return XrayDataModule(root, groups, transforms, **settings)


def classifier(trainable: str, pooling: str = "avg") -> XrayClassifier:
    """Return a VGG16 with random weights, the same in each call."""
    torch.manual_seed(0)
    return XrayClassifier(
        backbone="vgg16",
        classes=["normal", "covid"],
        head={"pooling": pooling, "norm": "none", "hidden": [], "dropout": 0.0},
        optim={},
        trainable=trainable,
        weights=None,
    ).eval()


def cache(folder: Path, **options: Any) -> FeatureCache:
    """Return a cache of activations with two views."""
    settings = {
        "mode": "auto",
        "views": 2,
        "max_gb": 1.0,
        "device": torch.device("cpu"),
        "context": nullcontext,
    }
    return FeatureCache(folder=folder, **{**settings, **options})


def arrays(folder: Path) -> dict[str, bytes]:
    """Return the content of the finished arrays by file name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.npy"))}


def damage_bytes(path: Path) -> None:
    """Flip a bit near the end of a file."""
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    """Cut the last bytes of a file."""
    os.truncate(path, path.stat().st_size - 7)


def counting(
    to_cut: Callable[[Tensor], Tensor], log: Path, seconds: float
) -> Callable[[Tensor], Tensor]:
    """Wrap `to_cut`: sleep before each batch, and append one byte to `log` for each image."""

    def run(image: Tensor) -> Tensor:
        time.sleep(seconds)
        result = to_cut(image)
        if image.any():  # The probe that measures shapes is black.
            descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            os.write(descriptor, b"x" * len(image))
            os.close(descriptor)
        return result

    return run


def write_entry(
    folder: Path, name: str, *, used: float = 1e9, rows: int = 1024, **description: Any
) -> Entry:
    """Write a finished entry of `rows` KiB, last used at `used` seconds since the epoch."""
    entry = Entry(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    array = np.arange(rows * 256, dtype=np.float32).reshape(1, rows, 256)
    np.save(entry.array, array)
    whole = {"network": "vgg16", "cut": 5, "pooled": True, "versions": package_versions()}
    crc = (checksum(array[0]),)
    Record({**whole, **description}, array.shape, "float32", rows, crc).write(entry.record)
    for path in (entry.array, entry.record):
        os.utime(path, (used, used))
    return entry
