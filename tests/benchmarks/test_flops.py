import pytest
import torch
from torch import nn

from benchmarks.flops import count, forward_flops, training_flops

# One 224 px image through the thirteen convolutions of VGG16: the sum of 9 H W C_in C_out
# multiplications, and as many additions.
FORWARD = 2 * 15_346_630_656


def test_convolution():
    layer, image = nn.Conv2d(3, 8, 3, padding=1), torch.zeros(1, 3, 8, 8)
    once = 2 * (8 * 8) * (3 * 3 * 3) * 8
    assert count(lambda: layer(image)) == once
    # The backward pass to the weights, without the image, has the same number of operations.
    assert count(lambda: layer(image).sum().backward()) == 2 * once


def test_bare_backbone():
    assert forward_flops(224) == FORWARD
    assert forward_flops(32) == FORWARD // 49


def test_training_image():
    # Linear layers 512 -> 256 -> 2: forward, backward to the weights and to their input, which the
    # normalization before them needs.
    head = 3 * 2 * (512 * 256 + 256 * 2)
    assert training_flops("head", 32, cached=True) == head
    assert training_flops("head", 32, cached=False) == FORWARD // 49 + head
    # Block 5 at 2 x 2 is three convolutions of 512 channels; the first gives its input no gradient.
    one = 2 * 4 * 512 * 512 * 9
    block5 = (2 + 3 + 3) * one + head
    assert training_flops("block5", 32, cached=True) == block5
    assert training_flops("block5", 32, cached=False) == block5 + FORWARD // 49 - 3 * one


@pytest.mark.parametrize("trainable", ["block4", "all"])
def test_more_trained_layers_need_more_operations(trainable):
    assert training_flops(trainable, 32, cached=False) > training_flops("block5", 32, cached=False)
