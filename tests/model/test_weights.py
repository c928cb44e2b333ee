import hashlib
import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from xray.errors import ConfigError, WeightsError
from xray.model import imagenet
from xray.model.backbone import build_backbone, torchvision_names
from xray.model.weights import load_backbone

NAME = "efficientnet_b0"
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
SHARED = Path(os.environ.get("XRAY_SHARED", "../shared")) / "weights" / "vgg16_features.safetensors"


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    backbone = build_backbone(NAME)
    ours = backbone.state_dict()
    return {
        their_name: ours[our_name] for their_name, our_name in torchvision_names(backbone).items()
    }


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_file(state, path)
    return path


@pytest.fixture
def offline(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        imagenet, "imagenet_url", lambda name: f"file:///nowhere/{name}-01234567.pth"
    )
    return tmp_path / "hub" / "checkpoints"


def first_weight(backbone):
    return backbone.block1[0][0].weight


@pytest.mark.slow
def test_random_weights_depend_only_on_the_seed():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, first_info = load_backbone(NAME, "random", seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    again, again_info = load_backbone(NAME, "random", seed=1)
    _, other_info = load_backbone(NAME, "random", seed=2)
    assert torch.equal(first_weight(first), first_weight(again))
    assert first_info == again_info
    assert first_info.source == "random"
    assert first_info.sha256 != other_info.sha256


def test_load_file(file, state):
    backbone, info = load_backbone(NAME, str(file))
    assert torch.equal(first_weight(backbone), state["features.0.0.weight"])
    assert info.source == "mine.safetensors"
    assert (info.mean, info.std) == NONE
    assert backbone.training
    assert all(parameter.requires_grad for parameter in backbone.parameters())
    with torch.no_grad():
        assert backbone.eval()(torch.randn(1, 3, 32, 32)).isfinite().all()


@pytest.mark.slow
def test_hash_covers_names_shapes_and_bytes(file, state, tmp_path):
    expected = hashlib.sha256()
    for name in sorted(state):
        if not name.endswith("num_batches_tracked"):
            values = state[name].numpy()
            expected.update(
                f"{name} {values.shape} ".encode() + np.asarray(values, "<f4").tobytes()
            )
    assert load_backbone(NAME, str(file))[1].sha256 == expected.hexdigest()

    other_layout = tmp_path / "mine.pth"
    channels_last = {
        name: value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value
        for name, value in state.items()
    }
    torch.save(channels_last, other_layout)
    assert load_backbone(NAME, str(other_layout))[1].sha256 == expected.hexdigest()

    channels_last["features.8.1.bias"] = state["features.8.1.bias"] + 1e-6
    torch.save(channels_last, other_layout)
    assert load_backbone(NAME, str(other_layout))[1].sha256 != expected.hexdigest()


@pytest.mark.parametrize("weights", ["imagenet", "auto"])
def test_imagenet_weights_come_from_the_cache(weights, state, offline, monkeypatch, caplog):
    offline.mkdir(parents=True)
    path = offline / "scratch.pth"
    torch.save({**state, "classifier.1.weight": torch.zeros(1000, 1280)}, path)
    name = f"b0-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth"
    path.rename(offline / name)
    monkeypatch.setattr(imagenet, "imagenet_url", lambda _: f"file:///nowhere/{name}")
    backbone, info = load_backbone(NAME, weights)
    assert torch.equal(first_weight(backbone), state["features.0.0.weight"])
    assert info.source == "imagenet"
    assert (info.mean, info.std) == IMAGENET
    assert "NOT FOUND" not in caplog.text


def test_unavailable_imagenet_weights(offline):
    with pytest.raises(WeightsError, match="not in the cache and could not be downloaded"):
        load_backbone(NAME, "imagenet")


@pytest.mark.slow
def test_auto_falls_back_to_random_weights_with_a_warning(offline, caplog):
    backbone, info = load_backbone(NAME, "auto", seed=5)
    expected, expected_info = load_backbone(NAME, "random", seed=5)
    assert info == expected_info
    assert torch.equal(first_weight(backbone), first_weight(expected))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    message = record.getMessage()
    assert message.startswith(
        "PRETRAINED WEIGHTS NOT FOUND: efficientnet_b0 starts from random weights (seed 5)"
    )
    assert "not comparable with a pretrained run" in message
    assert str(offline / f"{NAME}-01234567.pth") in message


def test_auto_rejects_a_damaged_file(offline):
    offline.mkdir(parents=True)
    (offline / f"{NAME}-01234567.pth").write_bytes(b"half a file")
    with pytest.raises(WeightsError, match="is damaged"):
        load_backbone(NAME, "auto")


def test_url_is_rejected():
    with pytest.raises(WeightsError, match=r"is a URL.*Download the file"):
        load_backbone(NAME, "https://example.org/vgg16.pth")


def test_unknown_weights_suggest_the_nearest_option(tmp_path):
    with pytest.raises(
        WeightsError, match=r"model\.weights=imagnet is neither .* Did you mean 'imagenet'\?$"
    ):
        load_backbone(NAME, "imagnet")
    missing = tmp_path / "missing.pth"
    with pytest.raises(WeightsError, match=r"missing\.pth does not exist\)\.$"):
        load_backbone(NAME, str(missing))


def test_unknown_backbone_is_rejected_before_a_download():
    with pytest.raises(ConfigError, match="Did you mean 'vgg16'"):
        load_backbone("vgg61", "imagenet")


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [
        ("auto", IMAGENET),
        ("imagenet", IMAGENET),
        ("none", NONE),
        ({"mean": [0.5, 0.4, 0], "std": [1, 2, 0.25]}, ((0.5, 0.4, 0.0), (1.0, 2.0, 0.25))),
    ],
)
def test_normalization(normalization, expected):
    _, info = load_backbone(NAME, "random", normalization)
    assert (info.mean, info.std) == expected


def test_normalization_of_a_file_can_be_stated(file):
    _, info = load_backbone(NAME, str(file), "imagenet")
    assert (info.mean, info.std) == IMAGENET


@pytest.mark.parametrize(
    ("normalization", "message"),
    [
        ("imagnet", r"model\.normalization=imagnet is not an option"),
        ({"mean": [0, 0, 0]}, "is not an option"),
        ({"mean": [0, 0, 0], "std": [1, 0, 1]}, "every std above 0"),
        (
            {"mean": [0, 0], "std": [1, 1, 1]},
            r"model\.normalization\.mean=\[0, 0\]: expected three finite numbers",
        ),
        ({"mean": 0.5, "std": [1, 1, 1]}, r"normalization\.mean=0\.5: expected three finite"),
        ({"mean": [0, 0, 0], "std": ["a", 1, 1]}, r"normalization\.std=.*: expected three finite"),
        ({"mean": [0, 0, float("inf")], "std": [1, 1, 1]}, "three finite"),
    ],
)
def test_invalid_normalization(normalization, message):
    with pytest.raises(ConfigError, match=message):
        load_backbone(NAME, "random", normalization)


@pytest.mark.skipif(not SHARED.is_file(), reason=f"{SHARED} is absent; set XRAY_SHARED")
def test_pretrained_vgg16_in_float16():
    backbone, info = load_backbone("vgg16", str(SHARED))
    assert info.source == "vgg16_features.safetensors"
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}
    with torch.no_grad():
        maps = backbone.eval()(torch.rand(1, 3, 64, 64))
    assert maps.shape == (1, 512, 2, 2)
    assert maps.max() > 0
