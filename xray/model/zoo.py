"""Table of the supported backbones; importing it does not import torch.

To add a backbone, add a row to `BACKBONES` and a file `conf/model/<name>.yaml`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xray.errors import ConfigError
from xray.suggest import did_you_mean, nearest

DEFAULT_BACKBONE = "vgg16"

WEIGHTS: tuple[str, ...] = ("auto", "imagenet", "random")
"""Named initial weights; any other value is the path of a weights file."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Layers of a torchvision model, grouped into blocks.

    Attributes:
        blocks: torchvision's layer names, one tuple per block, from input to output. The
            classifier of the model is left out.
        channels: Number of channels of the last feature map.
        pool_after_target: Number of layers at the end of the last block that follow the layer
            explained by Grad-CAM.
        weights: Name of torchvision's weights, a member of the model's `WeightsEnum`.
        vgg_config: Key of torchvision's table of VGG configurations ("D" is VGG16); "" for other
            models. VGG is built without its classifier, which has 123 million parameters.
        final_relu: Whether torchvision applies a ReLU in `forward`, after the last layer.
    """

    blocks: tuple[tuple[str, ...], ...]
    channels: int
    pool_after_target: int = 0
    weights: str = "IMAGENET1K_V1"
    vgg_config: str = ""
    final_relu: bool = False


def _features(*slices: tuple[int, int]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"features.{i}" for i in range(*bounds)) for bounds in slices)


# torchvision's ReLUs work in place and overwrite the output of a convolution, so Grad-CAM uses the
# last ReLU of VGG, which precedes one max pooling layer.
BACKBONES: dict[str, Architecture] = {
    "vgg16": Architecture(
        blocks=_features((0, 5), (5, 10), (10, 17), (17, 24), (24, 31)),
        channels=512,
        pool_after_target=1,
        vgg_config="D",
    ),
    "vgg16_bn": Architecture(
        blocks=_features((0, 7), (7, 14), (14, 24), (24, 34), (34, 44)),
        channels=512,
        pool_after_target=1,
        vgg_config="D",
    ),
    # The V2 weights of resnet50 are better on ImageNet, but they were trained with label smoothing
    # and mixup, which makes frozen features transfer worse (Kornblith et al. 2019,
    # arXiv:1805.08974).
    "resnet50": Architecture(
        blocks=(
            ("conv1", "bn1", "relu", "maxpool"),
            ("layer1",),
            ("layer2",),
            ("layer3",),
            ("layer4",),
        ),
        channels=2048,
    ),
    "densenet121": Architecture(
        blocks=(
            ("features.conv0", "features.norm0", "features.relu0", "features.pool0"),
            ("features.denseblock1", "features.transition1"),
            ("features.denseblock2", "features.transition2"),
            ("features.denseblock3", "features.transition3"),
            ("features.denseblock4", "features.norm5"),
        ),
        channels=1024,
        final_relu=True,
    ),
    "efficientnet_b0": Architecture(
        blocks=_features((0, 2), (2, 3), (3, 4), (4, 6), (6, 9)), channels=1280
    ),
    "convnext_tiny": Architecture(
        blocks=_features((0, 1), (1, 2), (2, 4), (4, 6), (6, 8)), channels=768
    ),
}
"""Backbones by name."""


def architecture(name: str) -> Architecture:
    """Return the table row of a backbone.

    Raises:
        ConfigError: The table has no such backbone.
    """
    if name not in BACKBONES:
        raise unknown("model.backbone", name, tuple(BACKBONES))
    return BACKBONES[name]


def trainable_options(blocks: int) -> tuple[str, ...]:
    """Return the values of `model.trainable` for a backbone, from fewest to most trained layers.

    Args:
        blocks: Number of blocks of the backbone.

    Examples:
        >>> trainable_options(3)
        ('head', 'block3', 'block2', 'block1', 'all')
    """
    return ("head", *(f"block{i}" for i in range(blocks, 0, -1)), "all")


def frozen_blocks(trainable: str, blocks: int) -> int:
    """Return the number of frozen blocks, counted from the input.

    Args:
        trainable: "head", a block ("block4" trains block 4, the blocks after it and the head), or
            "all".
        blocks: Number of blocks of the backbone.

    Raises:
        ConfigError: `trainable` is not an option of this backbone.

    Examples:
        >>> frozen_blocks("head", 5), frozen_blocks("block5", 5), frozen_blocks("all", 5)
        (5, 4, 0)
    """
    options = trainable_options(blocks)
    if trainable not in options:
        raise unknown("model.trainable", trainable, options)
    return max(0, blocks - options.index(trainable))


def unknown(key: str, value: object, options: Sequence[str]) -> ConfigError:
    """Return the error for a value that is not among the options of a key."""
    hint = did_you_mean(nearest(str(value), options))
    return ConfigError(f"{key}={value} is not an option.{hint} Options: {', '.join(options)}.")
