"""Data and settings of a benchmark."""

from dataclasses import dataclass
from pathlib import Path

BATCH = 32
"""Images per batch in every loop."""


@dataclass(frozen=True)
class Setting:
    """Data and settings of all rows.

    Attributes:
        root: Folder with train/, val/ and a small test/, each with the folders normal and
            pneumonia.
        small: Folder of the same layout with fewer images, for rows of seconds per epoch.
        outputs: Temporary folder of the runs.
        epochs: Number of epochs of each complete training.
        size: Side of the images in pixels.
        weights: "random", or a weights file in torchvision's layout (`model.weights`).
        pairs: Number of repetitions of each comparison, of which medians are taken.
        views: Cached augmentations of a training image, in rows with more than one.
    """

    root: Path
    small: Path
    outputs: Path
    epochs: int = 10
    size: int = 224
    weights: str = "random"
    pairs: int = 1
    views: int = 4
