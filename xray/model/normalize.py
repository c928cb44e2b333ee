"""The first layer: a grey channel becomes the three that pretrained weights expect."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class GreyToRGB(nn.Module):
    """Scales grey images to [0, 1], repeats them to three channels and normalises each.

    It is part of the network, so that images travel as one byte a pixel, the arithmetic runs on
    the device, and a checkpoint carries the normalisation of the weights it began from.

    Args:
        mean: Of each channel, on a scale of [0, 1].
        std: Of each channel, on a scale of [0, 1].

    Attributes:
        memory_format: How the output lies in memory.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.memory_format = torch.channels_last
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Normalise a batch.

        Args:
            image: (B, 1, H, W), uint8 in [0, 255] or float in [0, 1].

        Returns:
            (B, 3, H, W) float32.
        """
        grey = image.float() / 255 if image.dtype == torch.uint8 else image
        # The subtraction broadcasts the one channel to three.
        return ((grey - self.mean) / self.std).contiguous(memory_format=self.memory_format)
