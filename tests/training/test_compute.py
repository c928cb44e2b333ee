import logging

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from xray.errors import ConfigError
from xray.model.classifier import XrayClassifier
from xray.saliency.gradcam import saliency_maps
from xray.training import compute
from xray.training.compute import (
    AVAILABLE,
    Compute,
    choose_compute,
    has_bfloat16,
    machine_name,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
HEAD = {"pooling": "avg", "norm": "layer", "hidden": [], "dropout": 0.0}


@pytest.fixture
def cpu(monkeypatch):
    """Let PyTorch report the instructions of another processor."""

    def report(*, mkldnn, avx512=False, amx=False, machine="x86_64"):
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: mkldnn)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
        monkeypatch.setattr(compute.platform, "machine", lambda: machine)

    return report


@pytest.fixture
def gpu(monkeypatch):
    def report(*, bfloat16):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bfloat16)

    return report


def classifier() -> XrayClassifier:
    torch.manual_seed(0)
    options = {"head": HEAD, "weights": None}
    return XrayClassifier("vgg16", classes=["a", "b"], **options).eval()


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ({"mkldnn": True, "avx512": True}, True),
        ({"mkldnn": True, "amx": True}, True),
        # oneDNN accepts AVX-512 without bfloat16 instructions, and emulates them.
        ({"mkldnn": True}, False),
        ({"mkldnn": False}, False),
        ({"mkldnn": True, "machine": "aarch64"}, True),
        ({"mkldnn": False, "machine": "arm64"}, False),
    ],
)
def test_precision_follows_the_instructions_of_the_cpu(cpu, instructions, expected):
    cpu(**instructions)
    assert has_bfloat16(CPU) == expected
    precision = choose_compute(Compute(), CPU).precision
    assert precision == ("bf16-mixed" if expected else "32-true")


@pytest.mark.parametrize(("bfloat16", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_gpu_keeps_the_threads(gpu, bfloat16, precision):
    gpu(bfloat16=bfloat16)
    chosen = choose_compute(Compute(), CUDA)
    assert str(chosen) == f"{precision}, channels_last"
    assert chosen.threads is None
    assert chosen.machine == machine_name(CUDA) == f"H100, torch {torch.__version__}"


def test_choice_is_logged_with_its_reason(cpu, caplog):
    caplog.set_level(logging.INFO)
    cpu(mkldnn=False)
    assert choose_compute(Compute(), CPU) == Compute(
        "32-true", True, AVAILABLE, False, machine_name(CPU)
    )
    assert "32-true, channels_last" in caplog.text
    assert "CPU without bfloat16 instructions" in caplog.text
    assert "trainer.precision=" in caplog.text


def test_configured_settings_are_used(cpu, caplog):
    caplog.set_level(logging.INFO)
    cpu(mkldnn=True, avx512=True)
    chosen = choose_compute(Compute(threads=7, channels_last=False), CPU)
    assert (chosen.precision, chosen.channels_last, chosen.threads) == ("bf16-mixed", False, 7)
    choose_compute(Compute("32-true", False, 3, compile=True), CPU)
    assert "32-true, contiguous, 3 threads, compiled (as configured)" in caplog.text


def test_record_of_the_run_comes_before_the_rule(cpu, caplog):
    caplog.set_level(logging.INFO)
    cpu(mkldnn=False)
    began = Compute("bf16-mixed", False, 1, machine=machine_name(CPU))
    assert choose_compute(Compute(), CPU, began.record()) == began
    assert "as in the first part of the run" in caplog.text
    assert choose_compute(Compute("32-true"), CPU, began.record()).precision == "32-true"


def test_only_the_recorded_precision_is_used_on_another_machine(cpu):
    cpu(mkldnn=False)
    began = Compute("bf16-mixed", False, 64, machine="another")
    assert choose_compute(Compute(), CPU, began.record()) == Compute(
        "bf16-mixed", True, AVAILABLE, False, machine_name(CPU)
    )


def test_machine_name_of_a_cpu(monkeypatch):
    monkeypatch.setattr(compute, "cpu_model", lambda: "Fast One")
    monkeypatch.setattr(compute, "AVAILABLE", 1)
    monkeypatch.setattr(torch, "__version__", "2.99")
    assert machine_name(CPU) == "Fast One, 1 thread, torch 2.99"
    monkeypatch.setattr(compute, "cpu_model", lambda: None)
    monkeypatch.setattr(compute, "AVAILABLE", 8)
    assert machine_name(CPU) == "CPU, 8 threads, torch 2.99"


def test_other_models_are_not_changed(threads):
    Compute("32-true", True, 1, compile=True).apply(pl.LightningModule())
    assert torch.get_num_threads() == 1


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("channels_last", [True, False])
def test_memory_format_keeps_the_results(threads, channels_last):
    model, image = classifier(), torch.full((2, 1, 32, 32), 128, dtype=torch.uint8)
    with torch.no_grad():
        expected = model(image)
        Compute("32-true", channels_last, 1).apply(model)
        assert torch.allclose(model(image), expected, atol=1e-5)
        maps = model.to_cut(image)
    assert torch.get_num_threads() == 1
    weight = model.backbone.block2[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == channels_last
    assert model.normalize(image).is_contiguous() != channels_last
    assert maps.shape == (2, 512, 1, 1)


def test_threads_stay_without_a_setting(threads):
    torch.set_num_threads(2)
    Compute("32-true", True, None).apply(classifier())
    assert torch.get_num_threads() == 2


def test_compiled_network_keeps_its_names_and_can_be_explained(threads, monkeypatch):
    compiled = []
    plain = nn.Module.compile

    def compile_quickly(self):
        compiled.append(self)
        plain(self, backend="eager")

    monkeypatch.setattr(nn.Module, "compile", compile_quickly)
    model, image = classifier(), torch.full((2, 1, 32, 32), 128, dtype=torch.uint8)
    names = list(model.state_dict())
    alike, *_ = saliency_maps(*model.saliency_parts(), image, [1, 1])
    with torch.no_grad():
        expected = model(image)
        Compute("32-true", True, 1, compile=True).apply(model)
        assert compiled == list(model.backbone.children())
        assert torch.allclose(model(image), expected, atol=1e-5)
    assert list(model.state_dict()) == names
    maps, *_ = saliency_maps(*model.saliency_parts(), image, [1, 1])
    assert maps == pytest.approx(alike, abs=1e-4)


@pytest.mark.parametrize(
    ("cxx", "named"), [(None, r"g\+\+ or clang\+\+"), ("no-such-compiler", "no-such-compiler")]
)
def test_compilation_needs_a_compiler(threads, monkeypatch, tmp_path, cxx, named):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    if cxx:
        monkeypatch.setenv("CXX", cxx)
    with pytest.raises(ConfigError, match=rf"trainer\.compile=true needs .* {named} is not on"):
        Compute("32-true", True, 1, compile=True).apply(classifier())
