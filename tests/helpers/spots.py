"""Bright squares on dark images, which a network that looks at brightness finds."""

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
"""Top and left of each image's 8 x 8 square."""


class Brightness(nn.Module):
    """Activations: the pixels, and what they lack to white. Counts its calls."""

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
    """Says pneumonia to everything, for the mean brightness (0) or the mean darkness (1)."""

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
    picture = np.zeros((SIDE, SIDE), bool)
    picture[top : top + 8, left : left + 8] = True
    return picture


def spots(root: Path, *, masks: bool) -> SplitDataset:
    """Four images, the first normal, of a patient each; with lesions, and lungs on the left."""
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
    as_it_is = SeededTransform([], SIDE, 0)
    return SplitDataset(samples, root=root, train=as_it_is, evaluate=as_it_is)


def write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.astype(np.uint8)).save(path)
