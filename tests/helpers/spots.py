"""Images of bright squares, and classifiers that respond to brightness or darkness."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from xray.data.dataset import SplitDataset
from xray.data.transforms import SeededTransform
from xray.types import Sample

SIDE = 32
CORNERS = ((2, 4), (20, 6), (10, 22), (22, 20))
"""Top and left of the 8 x 8 square of each image."""


class Brightness(nn.Module):
    """Activations: brightness and darkness (1 - brightness) of the pixels. Calls are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        bright = images.float() / 255
        return torch.cat([bright, 1 - bright], dim=1) * self.scale


@dataclass
class Looker:
    """A classifier that always predicts pneumonia.

    Attributes:
        body: Computes the activations.
        channel: Evidence for pneumonia: the mean brightness (0) or the mean darkness (1).
        classes: Class names.
    """

    body: Brightness
    channel: int = 0
    classes: tuple[str, ...] = ("normal", "pneumonia")

    def saliency_parts(self) -> tuple[nn.Module, nn.Module]:
        head = nn.Linear(2, 2, bias=False)
        weight = torch.zeros(2, 2)
        weight[1, self.channel] = 10
        head.weight.data = weight
        return self.body, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def square(top: int, left: int) -> np.ndarray:
    """Return a (32, 32) mask of an 8 x 8 square."""
    picture = np.zeros((SIDE, SIDE), bool)
    picture[top : top + 8, left : left + 8] = True
    return picture


def spots(root: Path, *, masks: bool) -> SplitDataset:
    """Write four images of one patient each, the first normal, and open them as a split.

    Args:
        root: Folder of the images.
        masks: Whether lesion masks (the squares) and lung masks (the left half) are written too.
    """
    samples = []
    for i, corner in enumerate(CORNERS):
        label = "pneumonia" if i else "normal"
        path = root / label / f"{i}.png"
        here = square(*corner)
        left = np.zeros((SIDE, SIDE), bool)
        left[:, : SIDE // 2] = True
        write(path, np.where(here, 230, 25))
        if masks:
            write(root / "masks" / "lesion" / label / path.name, here * 255)
            write(root / "masks" / "lung" / label / path.name, left * 255)
        samples.append(Sample(path, int(i > 0), label, f"p{i}"))
    identity = SeededTransform([], SIDE, 0)
    return SplitDataset(samples, root=root, train=identity, evaluate=identity)


def write(path: Path, picture: np.ndarray) -> None:
    """Write an array as a PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.astype(np.uint8)).save(path)
