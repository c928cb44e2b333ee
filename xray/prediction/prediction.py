"""The prediction for one image."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one image.

    Attributes:
        path: The image file; None for an array.
        label: The predicted class at the run's threshold; None if the image cannot be read.
        probabilities: Probability in [0, 1] of each class at the run's temperature, summing to 1;
            empty if the image cannot be read.
        threshold: With two classes, the second class is predicted if its probability is greater;
            None with more classes, for which the most probable class is predicted.
        size: Height and width of the image in pixels; None if it cannot be read.
        warnings: Sentences on differences from the training images and on the file.
        error: Why the image cannot be read; None if it can.
    """

    path: Path | None
    label: str | None
    probabilities: Mapping[str, float]
    threshold: float | None
    size: tuple[int, int] | None
    warnings: tuple[str, ...] = ()
    error: str | None = None
