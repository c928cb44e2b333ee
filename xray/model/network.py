"""Backbone and head of a classifier, and the part of them that is frozen."""

from collections.abc import Mapping
from typing import Any, Self

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from xray.model.backbone import Backbone
from xray.model.head import Head
from xray.model.normalize import GrayToRGB
from xray.model.zoo import frozen_blocks


class Network(pl.LightningModule):
    """A normalization layer, a backbone and a head, of which the first blocks can be frozen.

    Args:
        normalize: First layer, grayscale images to three normalized channels.
        backbone: Network without its classifier.
        head: Feature map to logits.
        trainable: "head", a block ("block5": that block, the blocks after it and the head), or
            "all".
        unfreeze: {"epoch": e, "trainable": ...}: from epoch e on, counted from 0, more is trained.

    Attributes:
        frozen: Number of blocks, counted from the input, that are frozen now.
        unfreezing: The argument `unfreeze`.
        cut: Number of blocks that are frozen in every epoch; their output can be cached.

    Raises:
        ConfigError: `trainable` is not an option of this backbone.
    """

    def __init__(
        self,
        normalize: GrayToRGB,
        backbone: Backbone,
        head: Head,
        *,
        trainable: str,
        unfreeze: Mapping[str, Any] | None,
    ) -> None:
        super().__init__()
        self.normalize, self.backbone, self.head = normalize, backbone, head
        self.trainable, self.unfreezing = trainable, unfreeze
        self.cut = min(self.frozen_at(0), self.frozen_at(self._unfreeze_epoch))
        self.lay_out(channels_last=True)
        self.frozen = 0
        self.freeze_blocks(self.frozen_at(0))

    def lay_out(self, *, channels_last: bool) -> None:
        """Choose the memory format of weights and activations; the values stay the same."""
        form = torch.channels_last if channels_last else torch.contiguous_format
        self.backbone.to(memory_format=form)
        self.normalize.memory_format = form

    @property
    def blocks(self) -> int:
        """Number of blocks of the backbone."""
        return len(self.backbone)

    @property
    def _unfreeze_epoch(self) -> int:
        return int(self.unfreezing["epoch"]) if self.unfreezing else 0

    def frozen_at(self, epoch: int) -> int:
        """Return the number of blocks, counted from the input, that are frozen in an epoch."""
        later = self.unfreezing is not None and epoch >= self._unfreeze_epoch
        trainable = self.unfreezing["trainable"] if self.unfreezing and later else self.trainable
        return frozen_blocks(trainable, self.blocks)

    def freeze_blocks(self, blocks: int) -> None:
        """Freeze the first `blocks` blocks and train the others."""
        self.frozen = blocks
        for i, block in enumerate(self.backbone.children()):
            block.requires_grad_(i >= blocks)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation mode; frozen blocks stay in evaluation mode."""
        super().train(mode)
        self.backbone.prefix(self.frozen).eval()
        return self

    def to_cut(self, image: Tensor) -> Tensor:
        """Run the blocks that are never trained: (B, 1, H, W) uint8 to activations at the cut."""
        activations: Tensor = self.backbone.prefix(self.cut)(self.normalize(image))
        return activations

    def from_cut(self, features: Tensor) -> Tensor:
        """Run the rest of the network: activations at the cut to logits (B, K) float32.

        Args:
            features: (B, C, h, w); after the last block also pooled, as `Head` accepts them.
        """
        if features.ndim == 2:  # noqa: PLR2004
            pooled: Tensor = self.head(features)
            return pooled
        features = features.contiguous(memory_format=self.normalize.memory_format)
        logits: Tensor = self.head(self.backbone.suffix(self.cut)(features))
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits.

        Args:
            image: (B, 1, H, W), uint8 in [0, 255] or float in [0, 1].

        Returns:
            (B, K) float32 logits, before temperature and softmax.

        Raises:
            DataError: The images have another shape, dtype or range.
        """
        return self.from_cut(self.to_cut(image))

    def saliency_parts(self) -> tuple[nn.Module, nn.Module]:
        """Split the network at the layer that Grad-CAM explains.

        Returns:
            The body, (B, 1, H, W) uint8 -> (B, C, h, w) activations, and the tail, activations ->
            (B, K) logits. VGG16 is split after its last ReLU, before the last pooling: 14 x 14
            activations at 224 pixels.
        """
        *blocks, last = self.backbone.children()
        layers = list(last.children())
        split = len(layers) - self.backbone.pool_after_target
        body = nn.Sequential(self.normalize, *blocks, *layers[:split])
        return body, nn.Sequential(*layers[split:], self.head)
