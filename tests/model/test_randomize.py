"""Weights drawn anew: those that were trained, and no others."""

import pytest
import torch

from xray.model.classifier import XrayClassifier
from xray.model.randomize import randomised


@pytest.fixture(scope="module", params=["head", "block5"])
def model(request):
    return XrayClassifier(
        backbone="vgg16",
        classes=["normal", "pneumonia"],
        head={"pooling": "avg", "norm": "layer", "hidden": [4], "dropout": 0.0},
        optim={},
        trainable=request.param,
    )


def test_only_what_was_trained_is_drawn_anew(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    other = randomised(model, 1).state_dict()
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], other[name])}
    assert changed == ({"head"} if model.trainable == "head" else {"head", "backbone"})
    same = randomised(model, 1).state_dict()
    assert all(torch.equal(value, same[name]) for name, value in other.items())
    third = randomised(model, 2).state_dict()
    assert any(not torch.equal(value, third[name]) for name, value in other.items())
