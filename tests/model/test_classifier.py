import pytest
import torch
from torch.nn import functional as F

from xray.errors import RunError, TrainingError
from xray.model.classifier import XrayClassifier
from xray.model.normalize import GreyToRGB

OPTIM = {
    "name": "adamw",
    "lr": 1e-2,
    "backbone_lr": 1e-3,
    "weight_decay": 0.0,
    "momentum": 0.9,
    "schedule": "constant",
    "warmup_epochs": 0,
}
IMAGES = torch.randint(
    0, 255, (3, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def classifier(**options) -> XrayClassifier:
    return XrayClassifier(
        **{
            "backbone": "vgg16",
            "classes": ["normal", "pneumonia"],
            "head": {"pooling": "avg", "norm": "batch", "hidden": [4], "dropout": 0.5},
            "optim": OPTIM,
            **options,
        }
    )


@pytest.fixture(scope="module")
def frozen() -> XrayClassifier:
    return classifier().eval()


def test_grey_is_scaled_repeated_and_normalised_channel_by_channel():
    normalize = GreyToRGB(mean=(0.5, 0.0, 0.2), std=(0.5, 1.0, 0.1))
    out = normalize(torch.tensor([[[[51, 255]]]], dtype=torch.uint8))
    expected = torch.tensor([[-0.6, 1.0], [0.2, 1.0], [0.0, 8.0]])
    assert torch.allclose(out[0, :, 0], expected, atol=1e-6)
    assert torch.equal(normalize(torch.tensor([[[[0.2, 1.0]]]])), out)


def test_parts_compose_to_the_whole(frozen):
    with torch.no_grad():
        logits = frozen(IMAGES)
        body, tail = frozen.saliency_parts()
        activations = body(IMAGES)
        assert logits.shape == (3, 2)
        assert logits.dtype == torch.float32
        # 32 px through four poolings; the fifth belongs to the tail.
        assert activations.shape == (3, 512, 2, 2)
        assert torch.allclose(tail(activations), logits, atol=1e-5)
        assert torch.allclose(frozen.from_cut(frozen.to_cut(IMAGES)), logits, atol=1e-5)


@pytest.mark.parametrize(
    ("trainable", "blocks"), [("head", 5), ("block5", 4), ("block4", 3), ("all", 0)]
)
def test_what_is_frozen_has_no_gradient_and_stays_in_evaluation(trainable, blocks):
    model = classifier(trainable=trainable).train()
    states = [
        (block.training, all(p.requires_grad for p in block.parameters()))
        for block in model.backbone.children()
    ]
    assert states == [(False, False)] * blocks + [(True, True)] * (5 - blocks)
    assert model.head.training
    assert model.cut == blocks


def test_staged_unfreezing_is_a_function_of_the_epoch():
    model = classifier(unfreeze={"epoch": 2, "trainable": "block4"})
    assert [model.frozen_at(epoch) for epoch in (0, 1, 2, 9)] == [5, 5, 3, 3]
    # What is trained later cannot be cached, and the optimiser knows it from the start.
    assert model.cut == 3
    assert model.frozen == 5


@pytest.mark.parametrize(("split", "first"), [("train", 3), ("val", 1), ("test", 1)])
def test_the_training_loss_is_weighted_cross_entropy_and_the_others_are_plain(split, first):
    model = classifier(class_weights=[3.0, 1.0]).eval()
    batch = {"image": IMAGES, "target": torch.tensor([0, 1, 1]), "index": torch.arange(3)}
    model.log = lambda *args, **kwargs: None
    with torch.no_grad():
        loss, out = model._step(batch, split)
        losses = F.cross_entropy(model(IMAGES), batch["target"], reduction="none")
    assert torch.isclose(loss, (first * losses[0] + losses[1] + losses[2]) / (first + 2))
    assert torch.allclose(out["probabilities"].sum(dim=1), torch.ones(3))


def test_a_loss_that_is_no_number_is_an_error(frozen):
    model = classifier().eval()
    torch.nn.init.constant_(model.head.layers[-1].bias, float("nan"))
    batch = {"image": IMAGES, "target": torch.tensor([0, 1, 1]), "index": torch.arange(3)}
    with pytest.raises(TrainingError, match=r"train loss became nan in epoch 0.*Lower optim\.lr"):
        model.training_step(batch, 0)


def test_create_is_seeded_and_leaves_the_global_state_alone():
    options = {
        "weights": "random",
        "normalization": "auto",
        "classes": ["normal", "pneumonia"],
        "head": {"pooling": "avg", "norm": "none", "hidden": [], "dropout": 0.0},
        "optim": OPTIM,
    }
    state = torch.get_rng_state()
    one, same, other = (
        XrayClassifier.create(backbone="vgg16", seed=seed, **options).state_dict()
        for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["backbone.block1.0.weight"], other["backbone.block1.0.weight"])
    assert one["normalize.mean"].flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


def test_other_classes_are_refused(frozen):
    frozen.check_classes(["normal", "pneumonia"])
    with pytest.raises(RunError, match=r"normal, pneumonia.*pneumonia, normal"):
        frozen.check_classes(["pneumonia", "normal"])
