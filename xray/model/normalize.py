"""First layer of a classifier: a grayscale image becomes three normalized channels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xray.errors import DataError

_NDIM = 4
_TOLERANCE = 1e-4


class GrayToRGB(nn.Module):
    """Scale grayscale images to [0, 1], repeat them to three channels and normalize each channel.

    The layer is part of the network, so images are transferred as one byte per pixel, and a
    checkpoint contains the normalization that its weights expect.

    Args:
        mean: Mean of each of the three channels, on a scale of [0, 1].
        std: Standard deviation of each channel, on a scale of [0, 1].

    Attributes:
        memory_format: Memory format of the output.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.memory_format = torch.channels_last
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Normalize a batch.

        Args:
            image: (B, 1, H, W), uint8 in [0, 255] or float in [0, 1].

        Returns:
            (B, 3, H, W) float32.

        Raises:
            DataError: The shape, the dtype or the range is different.
        """
        _check(image)
        gray = image.float() / 255 if image.dtype == torch.uint8 else image
        # Broadcasting the subtraction repeats the channel.
        return ((gray - self.mean) / self.std).contiguous(memory_format=self.memory_format)


def _check(image: Tensor) -> None:
    """Reject images that would be misinterpreted.

    Shape and dtype are compared without reading the values. The range of float images is read,
    which waits for a GPU; training and evaluation use uint8.
    """
    shape = tuple(image.shape)
    if image.ndim != _NDIM or shape[1] != 1:
        advice = "Add the missing dimensions with image[None]."
        if image.ndim == _NDIM:
            advice = "Convert color images to one gray channel; the network repeats it."
        raise DataError(f"The images have shape {shape}; expected (B, 1, H, W). {advice}")
    if image.dtype == torch.uint8:
        return
    if not image.is_floating_point():
        raise DataError(
            f"The images have dtype {image.dtype}; expected uint8 in [0, 255] or float in [0, 1]. "
            "Convert 8-bit values with image.to(torch.uint8); divide others by their maximum."
        )
    # `torch.compile` and `torch.export` cannot branch on values.
    if torch.compiler.is_compiling() or not image.numel():
        return
    low, high = (value.item() for value in torch.aminmax(image.detach()))
    if not -_TOLERANCE <= low <= high <= 1 + _TOLERANCE:
        raise DataError(
            f"The float images have values from {low:g} to {high:g}; expected [0, 1]. Divide 8-bit "
            "values by 255, or pass them as uint8. Do not normalize them: the network does."
        )
