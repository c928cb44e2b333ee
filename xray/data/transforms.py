"""albumentations whose draws depend on (seed, epoch, index) alone."""

import json
from collections.abc import Sequence

import albumentations as A
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xray.errors import ConfigError


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

    def describe(self) -> str:
        """Write the list with all its settings as one JSON line, the same on every machine."""
        settings = [transform.to_dict()["transform"] for transform in self.compose.transforms]
        return json.dumps(settings, sort_keys=True, default=str)
