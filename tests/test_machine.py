import pytest

from xray import machine
from xray.machine import loader_workers


@pytest.mark.parametrize(
    ("cores", "gpu", "processes", "expected"),
    [
        (2, False, 1, 1),
        (8, False, 1, 2),
        (64, False, 1, 4),
        (16, True, 1, 16),
        (16, True, 4, 4),
        (16, True, 32, 1),
        (128, True, 1, 16),
    ],
)
def test_loader_workers(monkeypatch, cores, gpu, processes, expected):
    monkeypatch.setattr(machine, "core_count", lambda: cores)
    assert loader_workers(gpu=gpu, processes=processes) == expected
