"""What a bench is run on."""

from dataclasses import dataclass
from pathlib import Path

BATCH = 32
"""Images a batch, in every loop."""


@dataclass(frozen=True)
class Setting:
    """The data and the length of every row.

    Attributes:
        root: Holds train/, val/ and a small test/, each with the folders normal and pneumonia.
        small: The same with fewer images, for rows of seconds per epoch.
        outputs: Scratch folder of the runs.
        epochs: Of each whole training.
        size: Side of the images, pixels.
        weights: "random", or the path of a file in torchvision's layout; as `model.weights`.
        pairs: How often each comparison is repeated; medians are kept.
        views: Seeded draws of a training image, where more than one is cached.
    """

    root: Path
    small: Path
    outputs: Path
    epochs: int = 10
    size: int = 224
    weights: str = "random"
    pairs: int = 1
    views: int = 4
