"""Tiny images made on the spot."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_image(path: Path, *, level: int = 128, size: int = 40, seed: int = 0) -> Path:
    """Write a noisy gray picture around a level, as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-20, 20, (size, size))
    Image.fromarray((level + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path
