import logging
import re

import pytest
import torch
from safetensors.torch import save_file

from xray.errors import WeightsError
from xray.model.backbone import build_backbone, torchvision_names
from xray.model.weights_file import fit_weights, read_weights

NAME = "efficientnet_b0"
FIRST = "features.0.0.weight"


def torchvision_state(name):
    torch.manual_seed(0)
    backbone = build_backbone(name)
    ours = backbone.state_dict()
    return {
        their_name: ours[our_name] for their_name, our_name in torchvision_names(backbone).items()
    }


@pytest.fixture(scope="module")
def whole():
    return torchvision_state(NAME)


@pytest.fixture
def state(whole):
    return dict(whole)


def fits(state, path, name=NAME):
    backbone = build_backbone(name)
    backbone.load_state_dict(fit_weights(state, name, path))
    return backbone


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {"state_dict": {f"module.model.{key}": v for key, v in state.items()}},
        lambda state: {f"backbone.{key}": value for key, value in state.items()},
    ],
    ids=["plain", "state_dict", "model", "module.model.", "backbone."],
)
def test_wrappers_and_prefixes_are_removed(tmp_path, wrap, suffix):
    path = tmp_path / f"weights{suffix}"
    torch.save(wrap({"features.a": torch.tensor([1.0]), "features.b": torch.tensor([2.0])}), path)
    read = read_weights(path)
    assert {key: value.tolist() for key, value in read.items()} == {
        "features.a": [1.0],
        "features.b": [2.0],
    }


def test_a_prefix_that_only_some_names_have_is_kept(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"module.a": torch.zeros(1), "b": torch.zeros(1)}, path)
    assert set(read_weights(path)) == {"module.a", "b"}


def test_files_written_before_torch_1_6(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.tensor([5.0])}, path, _use_new_zipfile_serialization=False)
    assert read_weights(path)["a"].tolist() == [5.0]


@pytest.mark.parametrize(
    ("file_name", "content", "message"),
    [
        (
            "weights.bin",
            b"",
            r"weights\.bin: weights are only read from \.safetensors, \.pth, \.pt files",
        ),
        ("weights.safetensors", b"", "not a readable safetensors file"),
        ("weights.safetensors", b"\x10" * 99, "not a readable safetensors file"),
        ("weights.pth", b"", "cannot be read .* It is damaged"),
        ("weights.pth", b"<html>not found</html>", "cannot be read .* It is damaged"),
    ],
)
def test_file_that_contains_no_weights(tmp_path, file_name, content, message):
    path = tmp_path / file_name
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)


def test_truncated_file(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(WeightsError, match="is damaged"):
        read_weights(path)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("the file's code was run",))


def test_code_in_a_file_is_not_executed(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1), "b": Trap()}, path)
    with pytest.raises(WeightsError, match="objects other than tensors, which are not loaded"):
        read_weights(path)


@pytest.mark.parametrize("content", [{}, [1.0], {"state_dict": {}}, torch.zeros(2)])
def test_file_without_named_tensors(tmp_path, content):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError, match="contains no named tensors"):
        read_weights(path)


def test_other_objects_are_listed(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1), "epoch": 3, "optimizer": {}}, path)
    with pytest.raises(WeightsError, match="objects other than tensors: epoch, optimizer"):
        read_weights(path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_float_becomes_float32(state, tmp_path, dtype):
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
    weight = fits(state, tmp_path).block1[0][0].weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, state[FIRST].float())


def test_fitted_tensors_are_copies(state, tmp_path):
    fitted = fit_weights(state, NAME, tmp_path)
    assert fitted["block1.0.0.weight"].data_ptr() != state[FIRST].data_ptr()


def test_classifier_tensors_are_ignored(state, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    state |= {f"classifier.{i}.weight": torch.zeros(1) for i in range(6)} | {
        "fc.bias": torch.zeros(1)
    }
    assert set(fit_weights(state, NAME, tmp_path)) == set(build_backbone(NAME).state_dict())
    assert "the classifier is not used (classifier.0.weight" in caplog.text
    assert "classifier.4.weight and 2 more)" in caplog.text


def test_missing_counters_become_zero(state, tmp_path):
    counter = "features.0.1.num_batches_tracked"
    del state[counter]
    state["features.8.1.num_batches_tracked"] = torch.tensor(7)
    fitted = fit_weights(state, NAME, tmp_path)
    assert fitted["block1.0.1.num_batches_tracked"].tolist() == 0
    assert fitted["block5.2.1.num_batches_tracked"].tolist() == 7
    assert fitted["block1.0.1.num_batches_tracked"].dtype == torch.int64


def test_old_densenet_names(tmp_path):
    state = torchvision_state("densenet121")
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value
        for key, value in state.items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    weight = fits(old, tmp_path, "densenet121").block2[0].denselayer2.conv2.weight
    assert torch.equal(weight, state["features.denseblock1.denselayer2.conv2.weight"])


def test_one_error_lists_every_mismatch(state, tmp_path):
    for i in range(7):
        del state[f"features.{i}.{'1' if i == 0 else '0.block.0.1'}.bias"]
    state["extra"] = torch.zeros(1)
    state["features.8.1.weight"] = torch.zeros(3)
    path = tmp_path / "mine.pth"
    with pytest.raises(WeightsError) as caught:
        fit_weights(state, NAME, path)
    assert str(caught.value).splitlines() == [
        f"{path} does not fit efficientnet_b0. Tensors",
        "  missing (7): features.0.1.bias, features.1.0.block.0.1.bias, "
        "features.2.0.block.0.1.bias, features.3.0.block.0.1.bias, "
        "features.4.0.block.0.1.bias and 2 more",
        "  unexpected (1): extra",
        "  with another shape (1): features.8.1.weight (3,), not (1280,)",
        "Use a file with the names of torchvision's efficientnet_b0, or choose another model.",
    ]


def test_error_names_the_architecture_that_fits(state, tmp_path):
    with pytest.raises(WeightsError, match="does not fit vgg16") as caught:
        fit_weights(state, "vgg16", tmp_path / "mine.pth")
    assert "The file fits efficientnet_b0: choose model=efficientnet_b0" in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nonfinite_values(state, tmp_path, value):
    state[FIRST] = state[FIRST].clone()
    state[FIRST][3, 1, 0, 0] = value
    with pytest.raises(WeightsError, match=r"not finite \(1\): features\.0\.0\.weight\n"):
        fit_weights(state, NAME, tmp_path)


def test_float64_beyond_the_float32_range(state, tmp_path):
    state[FIRST] = state[FIRST].double() * 1e300
    with pytest.raises(WeightsError, match=r"not finite \(1\)"):
        fit_weights(state, NAME, tmp_path)


@pytest.mark.slow
def test_integer_tensors(state, tmp_path):
    state[FIRST] = state[FIRST].to(torch.int8)
    with pytest.raises(
        WeightsError, match=r"without a floating dtype \(1\): features\.0\.0\.weight torch\.int8"
    ):
        fit_weights(state, NAME, tmp_path)


def test_one_channel_network(state, tmp_path):
    state[FIRST] = state[FIRST][:, :1]
    with pytest.raises(
        WeightsError, match=r"efficientnet_b0 for one-channel images: .* expected 3"
    ):
        fit_weights(state, NAME, tmp_path)
