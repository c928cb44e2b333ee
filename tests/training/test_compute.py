import json
import logging
import threading

import pytest
import torch
from torch import nn

from xray.errors import ConfigError
from xray.model.classifier import XrayClassifier
from xray.saliency.gradcam import saliency_maps
from xray.training import compute
from xray.training.compute import Compute, choose_compute, recall
from xray.training.measure import Timing, machine_name

CPU = torch.device("cpu")
HEAD = {"pooling": "avg", "norm": "layer", "hidden": [], "dropout": 0.0}
ROWS = [
    Timing("32-true", False, 2, 30.0),
    Timing("32-true", True, 2, 20.0),
    Timing("bf16-mixed", False, 2, 12.0),
    Timing("bf16-mixed", True, 2, 10.0),
    Timing("bf16-mixed", True, 1, 5.0),
]


@pytest.fixture
def measured(monkeypatch):
    """Count the measurements, which are made up."""
    calls = []
    monkeypatch.setattr(compute, "measure", lambda device: calls.append(device) or list(ROWS))
    return calls


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "cache" / "machine.json"


def classifier() -> XrayClassifier:
    torch.manual_seed(0)
    return XrayClassifier(
        backbone="vgg16", classes=["a", "b"], head=HEAD, optim={}, weights=None
    ).eval()


def test_the_choice_is_measured_once_kept_and_said(measured, memory, caplog):
    caplog.set_level(logging.INFO)
    for _ in range(2):
        chosen = choose_compute(Compute(), CPU, memory)
        assert chosen == Compute("bf16-mixed", True, 1, False, machine_name(CPU))
    assert measured == [CPU]
    assert caplog.messages == 2 * [
        "machine: bf16-mixed, channels_last, 1 thread (6.0x plain float32), measured once, kept "
        f"in {memory}; trainer.precision=32-true overrides"
    ]


def test_what_is_asked_for_is_taken_and_the_rest_measured_beside_it(measured, memory):
    chosen = choose_compute(Compute(precision="32-true"), CPU, memory)
    assert (chosen.precision, chosen.channels_last, chosen.threads) == ("32-true", True, 2)
    chosen = choose_compute(Compute(threads=7, channels_last=False), CPU, memory)
    assert (chosen.precision, chosen.channels_last, chosen.threads) == ("bf16-mixed", False, 7)


def test_nothing_is_measured_where_all_is_asked_for(measured, memory, caplog):
    caplog.set_level(logging.INFO)
    asked = Compute("32-true", False, 3, compile=True)
    assert choose_compute(asked, CPU, memory).machine == machine_name(CPU)
    assert not memory.exists()
    assert measured == []
    assert caplog.messages == ["machine: 32-true, contiguous, 3 threads, compiled, as asked for"]


def test_a_gpu_leaves_the_threads_alone(measured, memory, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")
    chosen = choose_compute(Compute("32-true", True), torch.device("cuda"), memory)
    assert chosen.threads is None
    assert str(chosen) == "32-true, channels_last"


def test_a_runs_record_comes_before_a_measurement(measured, memory, caplog):
    caplog.set_level(logging.INFO)
    began = Compute("32-true", False, 1, machine=machine_name(CPU))
    assert choose_compute(Compute(), CPU, memory, began.record()) == began
    assert measured == []
    assert caplog.messages == ["machine: 32-true, contiguous, 1 thread, as the run began"]
    assert choose_compute(Compute("bf16-mixed"), CPU, memory, began.record()).precision == (
        "bf16-mixed"
    )


def test_on_another_machine_only_the_precision_of_the_record_holds(measured, memory):
    began = Compute("32-true", False, 64, machine="another")
    chosen = choose_compute(Compute(), CPU, memory, began.record())
    assert chosen == Compute("32-true", True, 2, False, machine_name(CPU))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "half",
        "[]",
        '{"a": []}',
        '{"a": [{"precision": "8-true", "channels_last": true, "threads": 1, "ms": 1}]}',
        '{"a": [{"precision": "32-true", "channels_last": true, "threads": 1, "ms": 0}]}',
    ],
)
def test_a_file_that_cannot_be_read_is_written_anew(measured, memory, text):
    memory.parent.mkdir()
    memory.write_text(text)
    assert recall(CPU, memory) == ROWS
    assert recall(CPU, memory) == ROWS
    assert measured == [CPU]
    assert list(json.loads(memory.read_text())) == [machine_name(CPU)]


def test_another_machines_timings_stay(measured, memory, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(compute, "machine_name", lambda device: "another")
        recall(CPU, memory)
    recall(CPU, memory)
    assert len(measured) == 2
    assert list(json.loads(memory.read_text())) == ["another", machine_name(CPU)]


def test_a_folder_that_cannot_be_written_is_done_without(measured, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / "file").touch()
    memory = tmp_path / "file" / "machine.json"
    for _ in range(2):
        assert choose_compute(Compute(), CPU, memory).precision == "bf16-mixed"
        assert f"measured for now: {memory} cannot be written; " in caplog.messages[-1]
    assert len(measured) == 2


def test_of_two_that_come_at_once_one_measures(measured, memory, monkeypatch):
    both, waited, read = threading.Barrier(2), set(), compute._read

    def read_together(path):
        kept = read(path)
        if threading.get_ident() not in waited:
            # Neither takes the lock before the other has found nothing.
            waited.add(threading.get_ident())
            both.wait(timeout=60)
        return kept

    monkeypatch.setattr(compute, "_read", read_together)
    found = []
    workers = [threading.Thread(target=lambda: found.append(recall(CPU, memory))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [ROWS, ROWS]
    assert len(measured) == 1


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("channels_last", [True, False])
def test_a_network_is_laid_out_and_computes_the_same(threads, channels_last):
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


def test_threads_that_are_nobodys_business_stay(threads):
    torch.set_num_threads(2)
    Compute("32-true", True, None).apply(classifier())
    assert torch.get_num_threads() == 2


def test_a_compiled_network_keeps_its_names_and_can_be_explained(threads, monkeypatch):
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
def test_compiling_without_a_compiler_is_an_error(threads, monkeypatch, tmp_path, cxx, named):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    if cxx:
        monkeypatch.setenv("CXX", cxx)
    with pytest.raises(ConfigError, match=rf"trainer\.compile=true needs .* no {named} on"):
        Compute("32-true", True, 1, compile=True).apply(classifier())
