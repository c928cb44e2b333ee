import logging
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from xray import build
from xray.data import datamodule
from xray.data.datamodule import XrayDataModule
from xray.training import workers
from xray.training.workers import choose_workers

CPU = torch.device("cpu")


class Clock:
    """Stands still, but for what reading and computing take."""

    now = 0.0


class Images:
    """Each is read in the time given for it."""

    def __init__(self, clock, *seconds):
        self.clock, self.seconds = clock, seconds

    def __len__(self):
        return len(self.seconds)

    def pixels(self, index):
        self.clock.now += self.seconds[index]
        return torch.zeros(1, 32, 32, dtype=torch.uint8)


class Network(torch.nn.Module):
    """Computes a batch in so many seconds, but the first in 100."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.times, self.shapes = clock, [seconds, 100.0], []

    def forward(self, images):
        assert not self.training
        self.clock.now += self.times.pop()
        self.shapes.append(tuple(images.shape))
        return images


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(workers.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(workers, "core_count", lambda: 16)
    return clock


def choose(dataset, network, *, device=CPU, processes=1):
    return choose_workers(
        dataset, model=network, device=device, context=nullcontext, processes=processes
    )


@pytest.mark.parametrize(
    ("batch_seconds", "expected"),
    # An image is read in 0.1 s: its batch of two is computed in 0.06 s, 0.03 s an image.
    [(0.06, 4), (0.2, 1), (2.0, 1), (0.001, 8)],
)
def test_as_many_as_keep_the_network_busy(clock, monkeypatch, caplog, batch_seconds, expected):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    network = Network(clock, batch_seconds).train()
    assert choose(Images(clock, 5.0, 0.1), network) == expected
    assert network.shapes == [(2, 1, 32, 32)] * 2
    assert network.training
    said = caplog.messages[0]
    assert said.startswith(f"machine: {expected} loader worker{'s' if expected > 1 else ''} (")
    assert f"read in 100.0 ms, computed in {500 * batch_seconds:.1f} ms" in said


def test_at_most_eight_images_are_read(clock, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    network = Network(clock, 1.0)
    choose(Images(clock, *[0.1] * 30), network)
    assert network.shapes[0][0] == 8


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_one_reads_beside_a_network_on_few_cores_and_nothing_is_measured(
    clock, monkeypatch, threads
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert choose(Images(clock), None) == 1


@pytest.mark.parametrize(("processes", "expected"), [(1, 16), (4, 4), (16, 1)])
def test_a_gpu_leaves_the_cores_to_them_shared_by_the_processes(
    clock, monkeypatch, processes, expected
):
    # Stands for a GPU: all that is asked of either is that it is no CPU.
    device = torch.device("meta")
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: tensor)
    network = Network(clock, 1e-9)
    assert choose(Images(clock, 0.1), network, device=device, processes=processes) == expected


def test_the_data_ask_once_and_only_where_nothing_was_given(make_tree, transforms):
    root = make_tree({"train/a": 4, "train/b": 4, "val/a": 4, "val/b": 4, "test/a": 2, "test/b": 2})
    asked = []
    settings = {"size": 32, "batch_size": 4, "min_val": 0}
    data = XrayDataModule(root, {"a": [], "b": []}, transforms, **settings)
    data.choose_workers = lambda dataset: asked.append(len(dataset)) or 0
    assert [data.loader("val").num_workers, data.loader("test").num_workers] == [0, 0]
    # Of the split that is loaded first.
    assert asked == [8]
    given = XrayDataModule(root, {"a": [], "b": []}, transforms, workers=2, **settings)
    given.choose_workers = data.choose_workers
    assert given.workers(given.dataset("train")) == 2
    assert asked == [8]


def test_another_folder_is_asked_for_where_the_training_images_are_gone(make_tree, transforms):
    root = make_tree({"a": 4, "b": 6})
    asked = []
    data = XrayDataModule(root / "gone", {"a": [], "b": []}, transforms, size=32)
    data.choose_workers = lambda dataset: asked.append(len(dataset)) or 0
    assert data.loader(data.external(root)).num_workers == 0
    assert asked == [10]


def test_without_a_network_it_is_one_a_core_four_at_most(make_tree, transforms, monkeypatch):
    root = make_tree({"train/a": 4, "train/b": 4, "val/a": 4, "val/b": 4, "test/a": 2, "test/b": 2})
    for cores, expected in ((2, 2), (64, 4)):
        monkeypatch.setattr(datamodule, "core_count", lambda cores=cores: cores)
        data = XrayDataModule(root, {"a": [], "b": []}, transforms, size=32, min_val=0)
        assert data.workers(data.dataset("val")) == expected


def test_a_run_paces_its_data_by_its_trainer(make_tree, transforms):
    root = make_tree({"train/a": 4, "train/b": 4})
    data = XrayDataModule(root, {"a": [], "b": []}, transforms, size=32)
    trainer = SimpleNamespace(
        world_size=3,
        strategy=SimpleNamespace(root_device=CPU),
        precision_plugin=SimpleNamespace(forward_context=nullcontext),
    )
    build.pace_workers(data, None, trainer)
    assert data.choose_workers.keywords == {
        "model": None,
        "device": CPU,
        "context": nullcontext,
        "processes": 3,
    }
