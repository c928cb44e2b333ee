"""Floating-point operations, counted by torch on tensors without data."""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from xray.model.backbone import build_backbone
from xray.model.head import Head
from xray.model.zoo import frozen_blocks


def count(call: Callable[[], object]) -> int:
    """Count the operations of a call: multiplications and additions in matrix products."""
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def forward_flops(size: int) -> int:
    """Count the forward pass of VGG16's features over one image of `size` px."""
    with torch.device("meta"), torch.no_grad():
        backbone, image = build_backbone("vgg16"), torch.empty(1, 3, size, size)
        return count(lambda: backbone(image))


def training_flops(trainable: str, size: int, *, cached: bool) -> int:
    """Count the operations for one training image in one epoch.

    Args:
        trainable: Value of `model.trainable`.
        size: Side of the image in pixels.
        cached: Whether the activations of frozen layers are cached.

    Returns:
        Operations of the forward pass and of the backward pass through trained layers. Validation
        images are not counted.
    """
    with torch.device("meta"):
        backbone, cut = build_backbone("vgg16"), frozen_blocks(trainable, 5)
        head = Head(backbone.channels, 2, pooling="avg", norm="layer", hidden=[256], dropout=0.5)
        image = torch.empty(1, 3, size, size)
        with torch.no_grad():
            before = count(lambda: backbone.prefix(cut)(image))
            activations = backbone.prefix(cut)(image)
        # Not the head itself: it queries autocast, which meta tensors do not support.
        pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head.norm, head.layers)
        trained = count(lambda: pooled(backbone.suffix(cut)(activations)).sum().backward())
    return trained if cached else before + trained
