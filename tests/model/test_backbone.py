import pytest
import torch
import torchvision
from torch import nn

from xray.errors import ConfigError
from xray.model.backbone import build_backbone, torchvision_names
from xray.model.zoo import BACKBONES, frozen_blocks, trainable_options

SHAPES_AT_64 = {
    "vgg16": [(64, 32), (128, 16), (256, 8), (512, 4), (512, 2)],
    "vgg16_bn": [(64, 32), (128, 16), (256, 8), (512, 4), (512, 2)],
    "resnet50": [(64, 16), (256, 16), (512, 8), (1024, 4), (2048, 2)],
    "densenet121": [(64, 16), (128, 8), (256, 4), (512, 2), (1024, 2)],
    "efficientnet_b0": [(16, 32), (24, 16), (40, 8), (112, 4), (1280, 2)],
    "convnext_tiny": [(96, 16), (96, 16), (192, 8), (384, 4), (768, 2)],
}


@pytest.fixture(scope="module")
def vgg16():
    return build_backbone("vgg16").eval()


@pytest.mark.parametrize("name", BACKBONES)
def test_equals_torchvision_without_the_classifier(name):
    torch.manual_seed(0)
    backbone = build_backbone(name).eval()
    state = backbone.state_dict()
    for value in state.values():
        if value.is_floating_point() and value.ndim == 1:
            # Fresh batch statistics, all 0 or 1, could be mixed up unseen.
            value.add_(torch.rand_like(value) * 0.1)
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name, weights=None).eval()
    named = {
        their_name: state[our_name] for their_name, our_name in torchvision_names(backbone).items()
    }
    missing, unexpected = theirs.load_state_dict(named, strict=False, assign=True)
    assert unexpected == []
    assert all(key.startswith(("classifier.", "fc.")) for key in missing)
    for top in ("avgpool", "classifier", "fc"):
        if hasattr(theirs, top):
            setattr(theirs, top, nn.Identity())

    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = theirs(image)
        activations, shapes = image, []
        for block in backbone:
            activations = block(activations)
            shapes.append((activations.shape[1], activations.shape[2]))

    # DenseNet's forward pools by a function, which cannot be taken out.
    found = activations.mean((2, 3)) if name == "densenet121" else activations
    torch.testing.assert_close(found.flatten(1), expected.flatten(1))
    assert expected.std() > 0
    assert shapes == SHAPES_AT_64[name]
    assert backbone.channels == shapes[-1][0]
    assert list(torchvision_names(backbone).values()) == list(state)


def test_names_are_torchvisions(vgg16):
    names = torchvision_names(vgg16)
    assert names["features.0.weight"] == "block1.0.weight"
    assert names["features.28.bias"] == "block5.4.bias"
    assert len(names) == 26


@pytest.mark.parametrize("blocks", range(6))
def test_prefix_and_suffix_make_the_backbone(vgg16, blocks):
    prefix, suffix = vgg16.prefix(blocks), vgg16.suffix(blocks)
    assert [*prefix, *suffix] == list(vgg16)
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(suffix(prefix(image)), vgg16(image))


def test_grad_cam_explains_the_last_relu_of_vgg(vgg16):
    assert vgg16.pool_after_target == 1
    assert isinstance(vgg16.block5[-1], nn.MaxPool2d)
    assert isinstance(vgg16.block5[-2], nn.ReLU)
    with torch.device("meta"):
        behind = {name: build_backbone(name).pool_after_target for name in BACKBONES}
    assert behind == {**dict.fromkeys(BACKBONES, 0), "vgg16": 1, "vgg16_bn": 1}


def test_vgg_is_initialized_as_in_torchvision(vgg16):
    convolutions = [layer for layer in vgg16.modules() if isinstance(layer, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    for convolution in convolutions:
        # He et al. 2015, fan-out: variance 2 / (9 out_channels).
        std = (2 / (9 * convolution.out_channels)) ** 0.5
        assert convolution.weight.std().item() == pytest.approx(std, rel=0.1)
        # A uniform distribution would end at 1.7 standard deviations.
        assert convolution.weight.max() > 2.5 * std
        assert not convolution.bias.any()


def test_initialization_uses_torchs_generator():
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(build_backbone("efficientnet_b0").block1[0][0].weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("trainable", "frozen"),
    [
        ("head", 5),
        ("block5", 4),
        ("block4", 3),
        ("block3", 2),
        ("block2", 1),
        ("block1", 0),
        ("all", 0),
    ],
)
def test_frozen_blocks(trainable, frozen):
    assert frozen_blocks(trainable, 5) == frozen


def test_trainable_options_follow_the_number_of_blocks():
    assert trainable_options(4) == ("head", "block4", "block3", "block2", "block1", "all")
    assert [frozen_blocks(option, 4) for option in trainable_options(4)] == [4, 3, 2, 1, 0, 0]
    with pytest.raises(ConfigError, match=r"model\.trainable=block5 is not an option"):
        frozen_blocks("block5", 4)


def test_unknown_option_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r"model\.trainable=blok5 .* Did you mean 'block5'\?"):
        frozen_blocks("blok5", 5)
    with pytest.raises(ConfigError, match=r"model\.backbone=vgg-16 .* Did you mean 'vgg16'\?"):
        build_backbone("vgg-16")
    with pytest.raises(ConfigError, match=r"not an option\. Options: head, block5, .*, all\.$"):
        frozen_blocks("???", 5)
