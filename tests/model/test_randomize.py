import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from xray.model.classifier import XrayClassifier
from xray.model.randomize import randomized


@pytest.fixture(scope="module", params=["head", "block5"])
def model(request):
    return XrayClassifier(
        backbone="vgg16",
        classes=["normal", "pneumonia"],
        head={"pooling": "avg", "norm": "layer", "hidden": [4], "dropout": 0.0},
        optim={},
        trainable=request.param,
        weights=None,
    )


def test_only_trained_layers_are_randomized(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    other = randomized(model, 1).state_dict()
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], other[name])}
    assert changed == ({"head"} if model.trainable == "head" else {"head", "backbone"})
    same = randomized(model, 1).state_dict()
    assert all(torch.equal(value, same[name]) for name, value in other.items())
    third = randomized(model, 2).state_dict()
    assert any(not torch.equal(value, third[name]) for name, value in other.items())


class Foreign(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.trained = nn.Linear(4, 2)


def test_trainable_layers_of_another_model_are_randomized():
    model = Foreign()
    other = randomized(model, 1)
    assert type(other) is Foreign
    assert torch.equal(other.frozen.weight, model.frozen.weight)
    assert not torch.equal(other.trained.weight, model.trained.weight)


def test_all_layers_are_randomized_if_none_is_trainable():
    model = Foreign().requires_grad_(False)
    assert not torch.equal(randomized(model, 1).frozen.weight, model.frozen.weight)
