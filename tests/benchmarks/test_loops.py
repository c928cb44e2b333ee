"""Each loop as a small process, and the measurements read from its output."""

import json
import os
import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from benchmarks import epoch_times, loops, measure, plain_loop
from benchmarks.loops import Timed, cold, lightning, ours, plain


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.slow
def test_framework_reports_each_epoch(filled):
    with cold(filled) as folder:
        timed = ours(filled, folder, "trainer=cpu", epochs=2)
        assert len(list(folder.glob("cache/features/train_*.npy"))) == 1
    assert not folder.exists()
    assert len(timed.aurocs) == len(timed.epochs) == len(timed.training) == 2
    assert all(0 <= auroc <= 1 for auroc in timed.aurocs)
    assert 0 < sum(timed.training) < sum(timed.epochs) < timed.seconds
    # A process that imports torch needs at least this much.
    assert timed.peak > 100e6


@pytest.mark.slow
def test_plain_loop(filled):
    timed = plain(filled, "block5", 1)
    assert 0 < timed.epochs[0] < timed.seconds
    assert 0 <= timed.aurocs[0] <= 1


@pytest.mark.slow
def test_plain_lightning_module(filled):
    timed = lightning(filled, 1)
    assert 0 < timed.epochs[0] < timed.seconds
    assert 0 <= timed.aurocs[0] <= 1


def test_few_epochs_are_extrapolated(setting, monkeypatch):
    said = 'progress\n{"auroc": [0.5, 0.6], "epochs": [9.0, 7.0]}\n'
    monkeypatch.setattr(loops, "_process", lambda *_: (Timed(30.0, 5), said))
    timed = lightning(replace(setting, epochs=10), 2)
    assert timed == Timed(30.0 + 8 * 7.0, 5, (0.5, 0.6), (9.0, 7.0))
    assert plain(replace(setting, epochs=10), "head", 2).seconds == 30.0


def test_failed_process_reports_its_error(setting):
    failing = (os.devnull, sys.executable, "-c", "raise SystemExit('no such images')")
    with pytest.raises(SystemExit, match=r"benchmarks.measure .* ended with 1:\nno such images"):
        loops._process(setting.outputs, "benchmarks.measure", *failing)


def test_process_is_measured_alone(setting):
    # The parent process uses more memory.
    held = b"x" * 200_000_000
    small, said = loops._process(setting.outputs, "benchmarks.measure", os.devnull, "true")
    assert small.peak < 100_000_000 < len(held)
    assert (small.seconds > 0, said) == (True, "")


def test_status_and_peak_of_a_command(tmp_path):
    report = tmp_path / "report.json"
    code = "held = b'x' * 200_000_000; raise SystemExit(3)"
    assert measure.main(str(report), [sys.executable, "-c", code]) == 3
    assert json.loads(report.read_text())["peak"] > 200_000_000


def test_epochs_last_until_the_next_one(tmp_path, monkeypatch):
    clock = iter([0.0, 3.0, 5.0, 5.0, 7.0, 11.0])
    monkeypatch.setattr(epoch_times, "_now", lambda: next(clock))
    times = epoch_times.EpochTimes(str(tmp_path / "epochs.json"))
    # Lightning's sanity check before training.
    times.on_validation_start(None, None)
    for _ in range(2):
        times.on_train_epoch_start(None, None)
        times.on_validation_start(None, None)
    times.on_train_end(None, None)
    written = json.loads((tmp_path / "epochs.json").read_text())
    assert written == {"epochs": [5.0, 6.0], "training": [3.0, 2.0]}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_network_loads_a_file_and_freezes_layers(suffix, tmp_path, monkeypatch):
    # The original classifier, which is replaced, has 123 million weights.
    monkeypatch.setattr(torch.nn.Linear, "reset_parameters", lambda _: None)
    features = plain_loop.network("random", "head").features
    state = {f"features.{name}": value.half() for name, value in features.state_dict().items()}
    file = tmp_path / f"weights{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    model = plain_loop.network(str(file), "block5")
    for name, value in model.features.state_dict().items():
        assert torch.equal(value, state[f"features.{name}"].float())
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    assert trained == [
        *(f"features.{i}.{kind}" for i in (24, 26, 28) for kind in ("weight", "bias")),
        *(f"classifier.{i}.{kind}" for i in (0, 3) for kind in ("weight", "bias")),
    ]
    assert not any(value.requires_grad for value in features.parameters())


@pytest.mark.parametrize(("weights", "white"), [("file.pth", 1.0), ("random", (1 - 0.485) / 0.229)])
def test_images_are_normalized_as_the_weights_expect(weights, white, tmp_path):
    for split in ("train", "val"):
        for name in ("normal", "pneumonia"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("L", (40, 40), 255).save(tmp_path / split / name / "1.png")
    _, val = plain_loop.images(str(tmp_path), 32, weights)
    image, target = val[1]
    assert (image.shape, target) == ((3, 32, 32), 1)
    assert image[0].max().item() == pytest.approx(white)
