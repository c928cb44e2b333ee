"""torchvision networks without their classifier, each as one chain of blocks.

The blocks are connected by single tensors, so a cut after any block splits a network into a frozen
prefix and a trainable suffix.
"""

from collections import OrderedDict
from collections.abc import Iterable

import torchvision
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from xray.model.zoo import Architecture, architecture


class Backbone(nn.Sequential):
    """A network without its classifier: (B, 3, H, W) float -> (B, channels, h, w) float.

    The children are named `block1`, `block2`, ... and are `nn.Sequential`s. All backbones of
    `xray.model.zoo` reduce the resolution to H / 32 x W / 32.

    Args:
        name: A key of `xray.model.zoo.BACKBONES`.
        blocks: The layers of each block.

    Attributes:
        name: A key of `xray.model.zoo.BACKBONES`.
        channels: Number of channels of the output.
        pool_after_target: Number of layers at the end of the last block that follow the layer
            explained by Grad-CAM.
    """

    def __init__(self, name: str, blocks: Iterable[nn.Sequential]) -> None:
        super().__init__(OrderedDict((f"block{i}", block) for i, block in enumerate(blocks, 1)))
        row = architecture(name)
        self.name = name
        self.channels = row.channels
        self.pool_after_target = row.pool_after_target

    def prefix(self, blocks: int) -> nn.Sequential:
        """Return the first `blocks` blocks as a chain that shares their parameters."""
        return nn.Sequential(OrderedDict(list(self.named_children())[:blocks]))

    def suffix(self, blocks: int) -> nn.Sequential:
        """Return the layers after the first `blocks` blocks; after all blocks, the identity."""
        return nn.Sequential(OrderedDict(list(self.named_children())[blocks:]))


def build_backbone(name: str) -> Backbone:
    """Build a network without its classifier, randomly initialized as in torchvision.

    The weights are drawn from torch's global generator. Nothing is downloaded.

    Args:
        name: A key of `xray.model.zoo.BACKBONES`.

    Returns:
        The network in training mode, float32.

    Raises:
        ConfigError: The backbone is unknown.
    """
    row = architecture(name)
    if row.vgg_config:
        model = nn.ModuleDict({"features": _vgg_features(name, row)})
    else:
        model = torchvision.models.get_model(name, weights=None)
    blocks = [
        nn.Sequential(*(model.get_submodule(layer) for layer in block)) for block in row.blocks
    ]
    if row.final_relu:
        blocks[-1].append(nn.ReLU(inplace=True))
    return Backbone(name, blocks)


def torchvision_names(backbone: Backbone) -> dict[str, str]:
    """Map torchvision's name of every parameter and buffer to the backbone's name.

    Returns:
        For example {"features.0.weight": "block1.0.weight", ...}. The values are the keys of the
        backbone's `state_dict()`, in the same order.
    """
    layers = architecture(backbone.name).blocks
    return {
        f"{layer}.{key}": f"{block_name}.{index}.{key}"
        for (block_name, block), names in zip(backbone.named_children(), layers, strict=True)
        for index, layer in enumerate(names)
        for key in block.get_submodule(str(index)).state_dict()
    }


def _vgg_features(name: str, row: Architecture) -> nn.Sequential:
    """Build the convolutional layers of VGG, initialized as in torchvision's `VGG`."""
    features: nn.Sequential = make_layers(cfgs[row.vgg_config], batch_norm=name.endswith("_bn"))
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return features
