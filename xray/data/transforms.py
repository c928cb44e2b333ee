"""albumentations whose draws depend on (seed, epoch, index) alone."""

import json
from collections.abc import Sequence
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xray.errors import ConfigError

_FIXED = (A.Resize, A.LongestMaxSize, A.PadIfNeeded)
"""What draws nothing, but for the settings that `_draws_nothing` looks at."""


class SeededTransform:
    """A list of albumentations on one-channel images, reseeded for every image.

    albumentations keeps one random state a process: its draws repeat from epoch to epoch in loader
    processes, and depend on how many there are. Reseeding from (seed, epoch, index) makes an
    image's draw a property of the image.

    Args:
        transforms: albumentations transforms, in order.
        size: Side of the square that must come out, pixels.
        seed: Of all draws.
    """

    def __init__(self, transforms: Sequence[A.BasicTransform], size: int, seed: int) -> None:
        self.compose = A.Compose(list(transforms), seed=seed)
        self.size = size
        self.seed = seed

    def __call__(self, image: NDArray[np.uint8], epoch: int = 0, index: int = 0) -> Tensor:
        """Transform one image.

        Args:
            image: (H, W) uint8.
            epoch: Which draw.
            index: Position of the image in its split.

        Returns:
            (1, size, size) uint8.

        Raises:
            ConfigError: When the list does not end at (size, size) uint8.
        """
        # One OpenCV thread a process: its pool would compete with the network and with other
        # loaders.
        cv2.setNumThreads(0)
        draw = np.random.SeedSequence((self.seed, epoch, index)).generate_state(1)[0]
        self.compose.set_random_seed(int(draw))
        result = self.compose(image=image)["image"]
        if result.shape[:2] != (self.size, self.size) or result.dtype != np.uint8:
            raise ConfigError(
                f"The transform turns an image into {result.shape} {result.dtype}, but the "
                "network expects "
                f"({self.size}, {self.size}) uint8. Begin its list with albumentations.Resize to "
                "data.size."
            )
        return torch.from_numpy(np.ascontiguousarray(result)).reshape(1, self.size, self.size)

    def before(self, count: int) -> "SeededTransform":
        """Give the first `count` steps alone."""
        return SeededTransform(self.compose.transforms[:count], self.size, self.seed)

    def after(self, count: int) -> "SeededTransform":
        """Give what comes after the first `count` steps, with the draws that it has among all.

        albumentations seeds every step from the one seed, whatever steps there are beside it.
        """
        return SeededTransform(self.compose.transforms[count:], self.size, self.seed)

    def describe(self) -> str:
        """Write the list with all its settings as one JSON line, the same on every machine."""
        return json.dumps(_settings(self), sort_keys=True, default=str)


def shared_beginning(one: SeededTransform, other: SeededTransform) -> int:
    """Count the leading steps that two lists share, that draw nothing and end at (size, size).

    What they make of an image is the same for both lists, in every epoch.

    Returns:
        The largest such number; 0 where there is none.
    """
    count = 0
    for step, mine, theirs in zip(
        one.compose.transforms, _settings(one), _settings(other), strict=False
    ):
        if mine != theirs or not _draws_nothing(step):
            break
        count += 1
    return next((n for n in range(count, 0, -1) if _ends_square(one.before(n))), 0)


def _settings(transform: SeededTransform) -> list[dict[str, Any]]:
    return [step.to_dict()["transform"] for step in transform.compose.transforms]


def _draws_nothing(step: A.BasicTransform) -> bool:
    # Of several sizes one is drawn; and a subclass may draw what it likes.
    one_size = not isinstance(getattr(step, "max_size", None), (list, tuple))
    in_place = getattr(step, "position", "center") != "random"
    return type(step) in _FIXED and step.p == 1 and one_size and in_place


def _ends_square(transform: SeededTransform) -> bool:
    """Try a wide image and a tall one, both larger than `size`."""
    short, long = transform.size + 8, 2 * transform.size
    try:
        for shape in ((short, long), (long, short)):
            transform(np.zeros(shape, np.uint8))
    except ConfigError:
        return False
    return True
