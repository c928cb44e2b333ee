import os
import time

import pytest
import torch

from xray import machine
from xray.training import measure
from xray.training.measure import Timing, fastest, gain, machine_name

CPU = torch.device("cpu")


def timings(*rows):
    return [Timing(*row) for row in rows]


# (precision, channels_last, threads, ms), as on a machine with bf16 instructions.
FAST = timings(
    ("32-true", False, 2, 30.0),
    ("32-true", False, 1, 50.0),
    ("32-true", True, 2, 20.0),
    ("32-true", True, 1, 38.0),
    ("bf16-mixed", False, 2, 15.0),
    ("bf16-mixed", False, 1, 27.0),
    ("bf16-mixed", True, 2, 10.0),
    ("bf16-mixed", True, 1, 18.0),
)


def test_the_fastest_way_is_chosen_and_compared_with_plain_float32():
    chosen = fastest(FAST)
    assert chosen == Timing("bf16-mixed", True, 2, 10.0)
    assert gain(FAST, chosen) == 3.0


@pytest.mark.parametrize(
    ("ms", "precision"), [(9.2, "32-true"), (9.0, "bf16-mixed"), (20.0, "32-true")]
)
def test_bf16_must_be_faster_by_a_tenth(ms, precision):
    rows = timings(("32-true", True, 2, 10.0), ("bf16-mixed", True, 2, ms))
    assert fastest(rows).precision == precision


@pytest.mark.parametrize(
    ("contiguous", "half", "expected"),
    [
        (9.5, 9.5, (True, 2)),
        (8.0, 12.0, (False, 2)),
        (12.0, 8.0, (True, 1)),
    ],
)
def test_layout_and_threads_are_as_usual_unless_another_is_clearly_faster(
    contiguous, half, expected
):
    rows = timings(
        ("32-true", False, 2, contiguous),
        ("32-true", True, 2, 10.0),
        ("32-true", True, 1, half),
    )
    chosen = fastest(rows)
    assert (chosen.channels_last, chosen.threads) == expected


def test_what_is_asked_for_is_not_compared():
    assert fastest(FAST, precision="32-true") == FAST[2]
    assert fastest(FAST, channels_last=False, threads=1) == FAST[5]


def test_what_was_not_measured_is_passed_over():
    assert fastest(FAST, precision="16-mixed", threads=7) == FAST[6]


def test_without_plain_float32_the_slowest_is_compared_with():
    rows = timings(("bf16-mixed", True, 2, 10.0), ("bf16-mixed", True, 1, 20.0))
    assert gain(rows, rows[0]) == 2.0


@pytest.mark.parametrize(("busy", "counts"), [(False, {4, 2}), (True, {4})])
def test_every_combination_is_timed_once_a_turn(monkeypatch, busy, counts):
    calls, began = [], torch.get_num_threads()

    def forward(network, image, precision):
        weight = next(network.parameters())
        contiguous = image.is_contiguous()
        assert weight.is_contiguous() == contiguous
        calls.append((precision, not contiguous, torch.get_num_threads()))
        return len(calls) / 1e3

    monkeypatch.setattr(measure, "_forward", forward)
    monkeypatch.setattr(measure, "busy", lambda: busy)
    monkeypatch.setattr(measure, "AVAILABLE", 4)
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    random = torch.get_rng_state()
    rows = measure.measure(CPU)
    assert {(t.precision, t.channels_last, t.threads) for t in rows} == set(calls)
    assert {t.threads for t in rows} == counts
    assert len(rows) == 4 * len(counts)
    assert len(calls) == measure.ROUNDS * len(rows)
    assert [t.ms for t in rows] == [float(i + 1) for i in range(len(rows))]
    assert torch.get_num_threads() == began
    assert torch.equal(torch.get_rng_state(), random)


def test_when_the_time_is_up_two_turns_are_done(monkeypatch):
    calls = []
    monkeypatch.setattr(measure, "_forward", lambda *_: calls.append(1) or 1.0)
    monkeypatch.setattr(measure, "SECONDS", -1.0)
    rows = measure.measure(CPU)
    assert len(calls) == 2 * len(rows)


def test_the_convolutions_are_really_timed(monkeypatch):
    monkeypatch.setattr(measure, "ROUNDS", 1)
    assert all(t.ms > 0 for t in measure.measure(CPU))


def test_a_machine_is_named_by_what_timings_depend_on(monkeypatch):
    monkeypatch.setattr(measure, "cpu_model", lambda: "Fast One")
    monkeypatch.setattr(measure, "AVAILABLE", 1)
    monkeypatch.setattr(torch, "__version__", "2.99")
    assert machine_name(CPU) == "Fast One, 1 thread, torch 2.99"
    monkeypatch.setattr(measure, "cpu_model", lambda: None)
    monkeypatch.setattr(measure, "AVAILABLE", 8)
    assert machine_name(CPU) == "CPU, 8 threads, torch 2.99"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")
    assert machine_name(torch.device("cuda")) == "H100, torch 2.99"


@pytest.mark.parametrize(("load", "expected"), [(2.1, True), (1.9, False)])
def test_a_machine_is_busy_when_others_have_half_of_the_cores(monkeypatch, load, expected):
    monkeypatch.setattr(machine, "core_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    assert machine.busy() is expected
    monkeypatch.delattr(os, "getloadavg")
    assert machine.busy() is False
