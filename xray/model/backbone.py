"""torchvision's networks without their top, each as one chain of five blocks.

A cut after block k splits any of them into a frozen prefix and a trainable rest, and what passes
the cut is one tensor.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import torchvision
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from xray.errors import ConfigError


def _features(*slices: tuple[int, int]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"features.{i}" for i in range(*bounds)) for bounds in slices)


# torchvision's layers of each block, by their names in torchvision's model.
_LAYERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "vgg16": _features((0, 5), (5, 10), (10, 17), (17, 24), (24, 31)),
    "vgg16_bn": _features((0, 7), (7, 14), (14, 24), (24, 34), (34, 44)),
    "resnet50": (
        ("conv1", "bn1", "relu", "maxpool"),
        ("layer1",),
        ("layer2",),
        ("layer3",),
        ("layer4",),
    ),
    "densenet121": (
        ("features.conv0", "features.norm0", "features.relu0", "features.pool0"),
        ("features.denseblock1", "features.transition1"),
        ("features.denseblock2", "features.transition2"),
        ("features.denseblock3", "features.transition3"),
        ("features.denseblock4", "features.norm5"),
    ),
    "efficientnet_b0": _features((0, 2), (2, 3), (3, 4), (4, 6), (6, 9)),
    "convnext_tiny": _features((0, 1), (1, 2), (2, 4), (4, 6), (6, 8)),
}
_CHANNELS = {
    "vgg16": 512,
    "vgg16_bn": 512,
    "resnet50": 2048,
    "densenet121": 1024,
    "efficientnet_b0": 1280,
    "convnext_tiny": 768,
}
_FROZEN = {"head": 5, "block5": 4, "block4": 3, "block3": 2, "block2": 1, "block1": 0, "all": 0}

BACKBONES: tuple[str, ...] = tuple(_LAYERS)


class Backbone(nn.Sequential):
    """A network without its top: (B, 3, H, W) float -> (B, channels, H / 32, W / 32).

    Its children are `block1` ... `block5`, each an `nn.Sequential`. Their outputs have 1/2, 1/4,
    1/8, 1/16 and 1/32 of the input's resolution; resnet50's and convnext_tiny's 1/4, 1/4, 1/8,
    1/16 and 1/32; densenet121's, where a block ends with its pooling, 1/4, 1/8, 1/16, 1/32, 1/32.

    Args:
        name: One of `BACKBONES`.
        blocks: The layers of each block.
        pool_after_target: How many layers at the end of `block5` lie behind the one that
            Grad-CAM explains.

    Attributes:
        name: As given.
        channels: Channels of the output.
        pool_after_target: As given. VGG: 1, its max pool. The target is then the last ReLU, not the
            convolution before it: torchvision's ReLUs work in place and overwrite their input.
    """

    def __init__(
        self, name: str, blocks: Iterable[nn.Sequential], pool_after_target: int = 0
    ) -> None:
        super().__init__(OrderedDict((f"block{i}", block) for i, block in enumerate(blocks, 1)))
        self.name = name
        self.channels = _CHANNELS[name]
        self.pool_after_target = pool_after_target

    def prefix(self, blocks: int) -> nn.Sequential:
        """Return the first `blocks` blocks (0 to 5) as a chain that shares their parameters."""
        return nn.Sequential(OrderedDict(list(self.named_children())[:blocks]))

    def suffix(self, blocks: int) -> nn.Sequential:
        """Return what follows the first `blocks` blocks; behind all five it is the identity."""
        return nn.Sequential(OrderedDict(list(self.named_children())[blocks:]))


def build_backbone(name: str) -> Backbone:
    """Build a network without its top, initialised as torchvision does; nothing is downloaded.

    The weights are drawn from torch's global generator.

    Args:
        name: One of `BACKBONES`.

    Returns:
        The network, in training mode, float32.

    Raises:
        ConfigError: There is no such backbone.
    """
    if name not in _LAYERS:
        raise _unknown("model.backbone", name, BACKBONES)
    layers = _LAYERS[name]
    if name.startswith("vgg"):
        model = nn.ModuleDict({"features": _vgg_features(batch_norm=name.endswith("_bn"))})
    else:
        model = torchvision.models.get_model(name, weights=None)
    blocks = [nn.Sequential(*(model.get_submodule(layer) for layer in block)) for block in layers]
    if name == "densenet121":
        # torchvision applies its last ReLU as a function, in the model's forward.
        blocks[-1].append(nn.ReLU(inplace=True))
    return Backbone(name, blocks, pool_after_target=1 if name.startswith("vgg") else 0)


def torchvision_names(backbone: Backbone) -> dict[str, str]:
    """Map torchvision's name of every parameter and buffer to the backbone's.

    Args:
        backbone: As `build_backbone` made it.

    Returns:
        For instance {"features.0.weight": "block1.0.weight", ...}; the values are the keys of the
        backbone's `state_dict()`, in its order.
    """
    return {
        f"{layer}.{key}": f"{block_name}.{index}.{key}"
        for (block_name, block), layers in zip(
            backbone.named_children(), _LAYERS[backbone.name], strict=True
        )
        for index, layer in enumerate(layers)
        for key in block.get_submodule(str(index)).state_dict()
    }


def frozen_blocks(trainable: str) -> int:
    """Say how many blocks, counted from the input, stay frozen.

    Args:
        trainable: "head", "block5" (and what follows it) ... "block1", or "all".

    Returns:
        5 for "head", 4 for "block5" ... 1 for "block2", 0 for "block1" and "all".

    Raises:
        ConfigError: There is no such option.
    """
    if trainable not in _FROZEN:
        raise _unknown("model.trainable", trainable, tuple(_FROZEN))
    return _FROZEN[trainable]


def _vgg_features(*, batch_norm: bool) -> nn.Sequential:
    """Build VGG16's features as torchvision's `VGG` does, without the top's 123 million weights."""
    features: nn.Sequential = make_layers(cfgs["D"], batch_norm=batch_norm)
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return features


def _unknown(key: str, value: str, options: Sequence[str]) -> ConfigError:
    nearest = get_close_matches(str(value), options, n=1, cutoff=0.4)
    hint = f"Did you mean {nearest[0]}? " if nearest else ""
    return ConfigError(f"{key}={value} is no option. {hint}Options: {', '.join(options)}.")
