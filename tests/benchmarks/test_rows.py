"""Rows computed by hand from given times."""

from dataclasses import replace

import pytest

from benchmarks import costs, training
from benchmarks.flops import training_flops
from benchmarks.loops import Timed

MB = 1_000_000


def timed(seconds, auroc=0.9, epochs=(1.0,)):
    return Timed(seconds, int(seconds) * MB, (auroc + 0.05, auroc), epochs)


@pytest.fixture
def ran(monkeypatch):
    """Replace processes by given times, and record what was started."""
    started = []

    def feed(base=(), own=(), module=training):
        times = {"plain": iter(base), "lightning": iter(base), "ours": iter(own)}
        for name, given in times.items():

            def run(_, *options, given=given, name=name, **more):
                started.append((name, *map(str, options), *more.values()))
                return next(given)

            monkeypatch.setattr(module, name, run, raising=module is training)
        return started

    return feed


def test_head_compared_with_the_plain_loop(ran, setting):
    # Cold, three times warm, cold with more views, cold with the loop's own head.
    own = [timed(s) for s in (5, 4, 2, 1, 10, 25)] + [timed(s, 0.8) for s in (5, 4, 3, 2, 10, 9)]
    started = ran([timed(50, 0.7), timed(90, 0.6)], own)
    cold, several, warm, same = training.head(replace(setting, pairs=2, epochs=7))
    assert cold == {
        "name": "head, cold cache, views=1",
        "against": "plain PyTorch loop",
        "base_seconds": 70,
        "seconds": 5,
        # Of 50 / 5 and 90 / 5.
        "ratio": 14,
        "base_auroc": 0.6,
        "base_best_auroc": 0.65,
        "base_peak": 90 * MB,
        "auroc": 0.8,
        "best_auroc": pytest.approx(0.85),
        "peak": 5 * MB,
    }
    assert (several["name"], several["ratio"]) == ("head, cold cache, views=2", 7)
    # Of 50 / 2 and 90 / 3.
    assert (warm["ratio"], warm["seconds"]) == (27.5, 2.5)
    folders = [call[1] for call in started if call[0] == "ours"]
    assert len(set(folders)) == 6
    assert len(set(folders[:4])) == 1
    assert started[5][2:] == ("model.head.norm=batch", "cache.views=2", 7)
    # Of 50 / 25 and 90 / 9.
    assert (same["name"], same["ratio"]) == ("the loop's own head, cold cache, views=1", 6)
    assert started[6][2:] == ("model.head.pooling=flatten", "model.head.norm=none", 7)


def test_lightning_module_with_extrapolated_epochs(ran, setting):
    started = ran([timed(80)], [timed(8)])
    (row,) = training.lightning_head(replace(setting, epochs=10))
    assert row["against"] == "plain Lightning module, 2 epochs measured, scaled"
    assert (row["ratio"], row["base_auroc"], row["auroc"]) == (10, None, 0.9)
    assert started[0] == ("lightning", "2")


def test_lightning_module_measured_completely(ran, setting):
    ran([timed(80)], [timed(8)])
    (row,) = training.lightning_head(setting)
    assert (row["against"], row["base_auroc"]) == ("plain Lightning module", 0.9)


def test_sweep_is_a_multiple_of_one_job(ran, setting):
    started = ran((), [timed(10), timed(25)])
    (row,) = training.sweep(setting)
    assert (row["multiple"], row["base_seconds"], row["seconds"]) == (2.5, 10, 25)
    grid = [option.partition("=")[2].split(",") for option in started[1][3:5]]
    assert started[1][2] == "-m"
    assert len(grid[0]) * len(grid[1]) == 20
    assert started[0][1] != started[1][1]


def test_block5_uses_the_median_epoch(ran, setting):
    started = ran([timed(99, epochs=(20.0, 16.0))], [timed(50, epochs=(9.0, 4.0, 4.5))])
    (row,) = training.block5(replace(setting, epochs=10))
    assert (row["base_seconds"], row["seconds"], row["ratio"]) == (18, 4.5, 4)
    assert row["auroc"] is row["base_best_auroc"] is None
    assert started[0] == ("plain", "block5", "2")
    assert started[1][2:] == ("model.trainable=block5", 3)


def test_costs_of_trained_layers(ran, setting):
    own = [timed(10 + i, epochs=(9.0, float(i), float(i))) for i in range(7)]
    started = ran((), own, costs)
    rows = costs.costs(setting)
    assert [row["name"] for row in rows] == ["head", "block5", "block4", "all"]
    assert [row["pixels"]["seconds"] for row in rows] == [1, 3, 5, 6]
    assert [row["cache"]["seconds"] for row in rows[:3]] == [0, 2, 4]
    assert "cache" not in rows[3]
    assert rows[1]["cache"] == {
        "seconds": 2.0,
        "gflop": training_flops("block5", 32, cached=True) / 1e9,
        "peak": 12 * MB,
    }
    assert started[2][2:] == ("model.trainable=block5", "cache=only", 3, setting.small)
