"""Copies of a classifier with random weights, a baseline for its heatmaps."""

from copy import deepcopy
from typing import TypeVar

import pytorch_lightning as pl
from torch import nn

from xray.model.network import Network
from xray.model.seeding import seeded

Model = TypeVar("Model", bound=pl.LightningModule)


def randomized(model: Model, seed: int) -> Model:
    """Copy a classifier and initialize its trained layers at random.

    The trained layers of an `XrayClassifier` are the head and the blocks after the cut; of other
    models, those with a trainable parameter, or all layers if there is none. A heatmap that stays
    the same does not depend on training (Adebayo et al. 2018, arXiv:1810.03292).

    Args:
        model: The classifier; it is not changed.
        seed: Seed of the weights, which are the same on every device.

    Returns:
        The copy, on the device of `model`.
    """
    copy = deepcopy(model).cpu()
    with seeded(seed):
        for layer in _trained_layers(copy):
            layer.reset_parameters()  # type: ignore[operator]
    return copy.to(model.device)


def _trained_layers(model: pl.LightningModule) -> list[nn.Module]:
    parts = (
        [model.backbone.suffix(model.cut), model.head] if isinstance(model, Network) else [model]
    )
    layers = [
        layer
        for part in parts
        for layer in part.modules()
        if callable(getattr(layer, "reset_parameters", None))
    ]
    if isinstance(model, Network):
        return layers
    trained = [
        layer
        for layer in layers
        if any(parameter.requires_grad for parameter in layer.parameters(recurse=False))
    ]
    return trained or layers
