"""Measurements in the process of the benchmark, without assertions on durations."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import cam, gpu, limits
from benchmarks.composed import configuration
from benchmarks.flops import forward_flops
from benchmarks.loops import Timed

# Python 3.12 and later warn about forked loader processes, which only read and transform images.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@pytest.mark.slow
def test_limits_are_positive_and_the_cache_is_removed(filled):
    rows = limits.limits(filled, side=64, seconds=0.01, rounds=1)
    assert [row["unit"] for row in rows] == [
        *("GFLOP/s", "GB/s", "images/s", "images/s", "GB/s", "%", "%", "%")
    ]
    assert all(row["value"] > 0 for row in rows)
    assert not list(filled.outputs.iterdir())


def test_percentages_of_the_medians_of_rounds(setting, monkeypatch):
    rounds = iter([(500.0, 9.0, 10.0), (400.0, 10.0, 12.0), (300.0, 11.0, 14.0)])
    monkeypatch.setattr(limits, "_round", lambda *_: next(rounds))
    monkeypatch.setattr(limits, "fill_speed", lambda _: 9.0)
    monkeypatch.setattr(limits, "read_speed", lambda _: 2.0)
    values = [row["value"] for row in limits.limits(replace(setting, size=224))]
    assert values[:5] == [400.0, 10.0, 12.0, 9.0, 2.0]
    share = 100 * 12 * forward_flops(224) / 1e9 / 400
    assert values[5:] == pytest.approx([75.0, share, 20.0])


def test_rate_counts_calls():
    calls = []
    assert limits.rate(lambda: calls.append(1), 0.0, torch.device("cpu")) > 0
    # One warm-up call and one measured call.
    assert len(calls) == 2


@pytest.mark.slow
def test_framework_and_package_give_the_same_maps(filled, monkeypatch):
    (row,) = cam.gradcam(filled, repeats=1)
    assert row["name"] == "Grad-CAM of 4 images"
    assert row["difference"] <= 1e-5
    assert row["ratio"] == pytest.approx(row["base_seconds"] / row["seconds"])
    monkeypatch.setattr(cam, "saliency_maps", lambda *_: (np.zeros((4, 32, 32), np.float32), None))
    # The package's maps are not empty: each has a maximum of 1.
    assert cam.gradcam(filled, repeats=1)[0]["difference"] == pytest.approx(1, abs=1e-3)


def test_gpu_rows(filled, monkeypatch):
    asked = []

    def train(setting, folder, *options, epochs):
        asked.append(configuration(filled, *options))
        # Six images in the median epoch of 0.5 s.
        return Timed(60.0, 10, training=(9.0, 0.5, 0.4))

    monkeypatch.setattr(gpu, "ours", train)
    monkeypatch.setattr(gpu, "bare_speed", lambda *_: 48.0)
    whole, head = gpu.gpu_rows(filled, torch.device("cpu"))
    assert (whole["base_speed"], whole["speed"], whole["share"]) == (48.0, 12.0, 25.0)
    assert (head["speed"], head["against"]) == (12.0, "")
    assert [(cfg.model.trainable, cfg.cache.mode) for cfg in asked] == [
        ("all", "off"),
        ("head", "only"),
    ]
    assert {cfg.trainer.precision for cfg in asked} == {"bf16-mixed"}


@pytest.mark.slow
def test_bare_loop_on_the_cpu():
    assert gpu.bare_speed(32, torch.device("cpu"), 0.0) > 0


def test_no_rows_without_a_gpu(setting, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.gpu(setting) == []
