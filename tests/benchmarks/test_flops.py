import pytest
import torch
from torch import nn

from benchmarks.flops import count, forward_flops, training_flops

# One 224 px image through VGG16's thirteen convolutions: the sum of H W C_in C_out 9 products, and
# as many sums.
FORWARD = 2 * 15_346_630_656


def test_a_convolution_by_hand():
    layer, image = nn.Conv2d(3, 8, 3, padding=1), torch.zeros(1, 3, 8, 8)
    once = 2 * (8 * 8) * (3 * 3 * 3) * 8
    assert count(lambda: layer(image)) == once
    # Backward to the weights, but not to the image, costs as much again.
    assert count(lambda: layer(image).sum().backward()) == 2 * once


def test_the_bare_backbone():
    assert forward_flops(224) == FORWARD
    assert forward_flops(32) == FORWARD // 49


def test_a_training_image_by_what_is_trained():
    # Linear layers 512 -> 256 -> 2: forward, backward to the weights and to their input, which the
    # normalisation before them needs.
    head = 3 * 2 * (512 * 256 + 256 * 2)
    assert training_flops("head", 32, cached=True) == head
    assert training_flops("head", 32, cached=False) == FORWARD // 49 + head
    # Block 5 at 2 x 2 is three convolutions of 512 channels; the first gives its input no gradient.
    one = 2 * 4 * 512 * 512 * 9
    block5 = (2 + 3 + 3) * one + head
    assert training_flops("block5", 32, cached=True) == block5
    assert training_flops("block5", 32, cached=False) == block5 + FORWARD // 49 - 3 * one


@pytest.mark.parametrize("trainable", ["block4", "all"])
def test_what_trains_more_costs_more(trainable):
    assert training_flops(trainable, 32, cached=False) > training_flops("block5", 32, cached=False)
