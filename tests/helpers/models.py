"""Models with custom parts, which configurations of tests name."""

import torch
from torch import Tensor, nn

from xray.model.classifier import XrayClassifier


class FocalLoss(nn.Module):
    """(1 - p)^gamma times the cross-entropy, averaged over the images."""

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        losses = nn.functional.cross_entropy(logits, target, reduction="none")
        return ((1 - torch.exp(-losses)) ** self.gamma * losses).mean()


class Focal(XrayClassifier):
    """A subclass with its own loss and a forward pass that differs from its base class."""

    def __init__(self, *, gamma: float = 2.0, **options: object) -> None:
        super().__init__(**options)
        self.gamma = gamma

    def configure_loss(self) -> nn.Module:
        return FocalLoss(self.gamma)

    def from_cut(self, features: Tensor) -> Tensor:
        return -super().from_cut(features)

    def saliency_parts(self) -> tuple[nn.Module, nn.Module]:
        body, tail = super().saliency_parts()
        return body, nn.Sequential(tail, Negative())


class Negative(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return -values
