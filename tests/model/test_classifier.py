import copy

import pytest
import torch
from models import Focal, FocalLoss
from torch.nn import functional as F

from xray.errors import TrainingError
from xray.model.classifier import XrayClassifier
from xray.model.operating_point import OperatingPoint

OPTIM = {"lr": 1e-2, "backbone_lr": 1e-3, "weight_decay": 0.0}
IMAGES = torch.randint(
    0, 255, (3, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
BATCH = {"image": IMAGES, "target": torch.tensor([0, 1, 1]), "index": torch.arange(3)}


def classifier(model_class=XrayClassifier, **options):
    return model_class(
        **{
            "backbone": "vgg16",
            "classes": ["normal", "pneumonia"],
            "head": {"norm": "batch", "hidden": [4]},
            "optim": OPTIM,
            "weights": None,
            **options,
        }
    )


def quiet(model):
    model.log = lambda *args, **kwargs: None
    return model


@pytest.fixture(scope="module")
def frozen():
    return classifier().eval()


def test_parts_compose_to_the_network(frozen):
    with torch.no_grad():
        logits = frozen(IMAGES)
        body, tail = frozen.saliency_parts()
        activations = body(IMAGES)
        assert logits.shape == (3, 2)
        assert logits.dtype == torch.float32
        # Four of the five poolings of 32 pixels; the last one is part of the tail.
        assert activations.shape == (3, 512, 2, 2)
        assert torch.allclose(tail(activations), logits, atol=1e-5)
        assert torch.allclose(frozen.from_cut(frozen.to_cut(IMAGES)), logits, atol=1e-5)


@pytest.mark.parametrize(
    ("trainable", "blocks"), [("head", 5), ("block5", 4), ("block4", 3), ("all", 0)]
)
def test_frozen_blocks_have_no_gradient_and_stay_in_evaluation_mode(trainable, blocks):
    model = classifier(trainable=trainable).train()
    states = [
        (block.training, all(p.requires_grad for p in block.parameters()))
        for block in model.backbone.children()
    ]
    assert states == [(False, False)] * blocks + [(True, True)] * (5 - blocks)
    assert model.head.training
    assert model.cut == blocks


def test_staged_unfreezing_depends_on_the_epoch_alone():
    model = classifier(unfreeze={"epoch": 2, "trainable": "block4"})
    assert [model.frozen_at(epoch) for epoch in (0, 1, 2, 9)] == [5, 5, 3, 3]
    assert model.cut == 3
    assert model.frozen == 5


@pytest.mark.parametrize(("split", "first"), [("train", 3), ("val", 1), ("test", 1)])
def test_only_the_training_loss_is_weighted(split, first):
    model = quiet(classifier(class_weights=[3.0, 1.0])).eval()
    with torch.no_grad():
        loss, out = model._step(BATCH, split)
        losses = F.cross_entropy(model(IMAGES), BATCH["target"], reduction="none")
    assert torch.isclose(loss, (first * losses[0] + losses[1] + losses[2]) / (first + 2))
    assert torch.allclose(out["probabilities"].sum(dim=1), torch.ones(3))


def test_loss_by_target_receives_class_weights_and_arguments():
    loss = {"_target_": "torch.nn.CrossEntropyLoss", "label_smoothing": 0.25}
    model = quiet(classifier(loss=loss, class_weights=[3.0, 1.0])).eval()
    with torch.no_grad():
        expected = F.cross_entropy(
            model(IMAGES), BATCH["target"], weight=torch.tensor([3.0, 1.0]), label_smoothing=0.25
        )
        assert torch.isclose(model.training_step(BATCH, 0), expected)


def test_loss_of_another_package_has_no_class_weights():
    loss = {"_target_": "models.FocalLoss", "gamma": 1.0}
    model = quiet(classifier(loss=loss, class_weights=[3.0, 1.0])).eval()
    with torch.no_grad():
        p = model(IMAGES).softmax(dim=1)[torch.arange(3), BATCH["target"]]
        assert torch.isclose(model.training_step(BATCH, 0), (-(1 - p) * p.log()).mean())


def test_subclass_overrides_the_loss():
    model = quiet(classifier(Focal, gamma=3.0)).eval()
    assert isinstance(model.configure_loss(), FocalLoss)
    with torch.no_grad():
        expected = FocalLoss(3.0)(model(IMAGES), BATCH["target"])
        assert torch.isclose(model.training_step(BATCH, 0), expected)


def test_nan_loss_is_an_error():
    model = classifier().eval()
    torch.nn.init.constant_(model.head.layers[-1].bias, float("nan"))
    with pytest.raises(TrainingError, match=r"train loss became nan in epoch 0.*Lower optim\.lr"):
        model.training_step(BATCH, 0)


def test_initialization_depends_on_the_seed_and_keeps_the_global_state():
    state = torch.get_rng_state()
    one, same, other = (
        XrayClassifier("vgg16", classes=["a", "b"], weights="random", seed=seed).state_dict()
        for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["backbone.block1.0.weight"], other["backbone.block1.0.weight"])
    assert one["normalize.mean"].flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


def test_create_of_version_0_1_equals_the_constructor():
    options = {"classes": ["a", "b"], "weights": "random", "normalization": "auto", "seed": 2}
    one = XrayClassifier.create(backbone="vgg16", **options).state_dict()
    other = XrayClassifier("vgg16", **options).state_dict()
    assert all(torch.equal(one[key], other[key]) for key in other)


def test_defaults_are_those_of_the_configuration():
    model = XrayClassifier("vgg16", classes=["a", "b"], weights="random")
    assert model.hparams["head"] == {
        "pooling": "avg",
        "norm": "batch",
        "hidden": [256],
        "dropout": 0.5,
    }
    assert model.optim["name"] == "adamw"
    assert model.hparams["weights"] is None
    assert model.hparams["weights_source"] == "random"


def test_predictions_use_the_operating_point():
    torch.manual_seed(0)
    model = classifier(head={"norm": "layer", "hidden": []}).train()
    with torch.no_grad():
        logits = copy.deepcopy(model).eval()(IMAGES)
    shares = logits.softmax(dim=1)[:, 1].sort().values
    threshold = float(shares[:2].mean())
    model.set_operating_point(OperatingPoint("youden", threshold, 2.0))
    assert model.threshold == threshold
    probabilities = model.predict_probabilities(IMAGES)
    torch.testing.assert_close(probabilities, (logits / 2).softmax(dim=1))
    assert model.training
    for batch in (BATCH, IMAGES, (IMAGES, BATCH["target"])):
        with torch.no_grad():
            out = model.eval().predict_step(batch, 0)
        torch.testing.assert_close(out["probabilities"], probabilities)
        assert out["predicted"].tolist() == (logits.softmax(1)[:, 1] > threshold).long().tolist()
        assert out["predicted"].sum() == 2
    assert model.predict_step(BATCH, 0)["index"].tolist() == [0, 1, 2]
