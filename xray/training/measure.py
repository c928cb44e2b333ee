"""How fast this machine convolves: by precision, memory layout and number of threads."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from xray.machine import busy, cpu_model

AVAILABLE = torch.get_num_threads()
"""Compute threads that PyTorch began with: one a core, or as OMP_NUM_THREADS says."""

Precision = Literal["32-true", "bf16-mixed"]
PRECISIONS: tuple[Precision, ...] = ("32-true", "bf16-mixed")
"""Those that are compared, by Lightning's names."""

MARGIN = 1.1
"""By how much something must be faster to be preferred to what is usual."""

ROUNDS, SECONDS = 12, 1.5
"""Every combination is tried so often, or until the time is up."""


@dataclass(frozen=True)
class Timing:
    """One way to compute, and how long it took.

    Attributes:
        precision: As Lightning names it.
        channels_last: The layout; otherwise contiguous.
        threads: On the CPU; None elsewhere.
        ms: The shortest time of a forward pass of the stand-in network, milliseconds.
    """

    precision: Precision
    channels_last: bool
    threads: Annotated[int, Field(ge=1)] | None
    ms: Annotated[float, Field(gt=0)]


def machine_name(device: torch.device) -> str:
    """Name all that the timings depend on: processor or GPU, threads, PyTorch's version."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    return f"{cpu_model() or 'CPU'}, {_threads(AVAILABLE)}, torch {torch.__version__}"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def measure(device: torch.device) -> list[Timing]:
    """Time a few convolutions like VGG's; about a second on two slow cores.

    The combinations take turns, and the shortest time of each counts, so that what else runs on
    the machine disturbs all of them alike. Neither the random state nor the number of threads is
    changed.

    Args:
        device: Where; on a GPU with a larger batch, which fills it.

    Returns:
        A timing of each precision, layout and, on the CPU, number of threads.
    """
    counts = _counts() if device.type == "cpu" else [None]
    ways = list(product(PRECISIONS, (False, True), counts))
    work = {channels_last: _stand_in(device, channels_last) for channels_last in (False, True)}
    before, end = torch.get_num_threads(), time.perf_counter() + SECONDS
    shortest = dict.fromkeys(ways, float("inf"))
    try:
        for turn in range(ROUNDS):
            # The first turn also prepares kernels.
            if turn > 1 and time.perf_counter() > end:
                break
            for precision, channels_last, threads in ways:
                torch.set_num_threads(threads or before)
                seconds = _forward(*work[channels_last], precision)
                way = precision, channels_last, threads
                shortest[way] = min(shortest[way], seconds)
    finally:
        torch.set_num_threads(before)
    return [Timing(*way, ms=round(1e3 * seconds, 4)) for way, seconds in shortest.items()]


def _counts() -> list[int]:
    """Try all threads and half of them, which is one a core where each core counts as two.

    On a busy machine only all: threads that wait for a core that another process has tell nothing
    of the days to come.
    """
    return [AVAILABLE] if busy() else sorted({AVAILABLE, max(1, AVAILABLE // 2)})


def _stand_in(device: torch.device, channels_last: bool) -> tuple[nn.Module, torch.Tensor]:
    """Make a network and its input."""
    batch, side = (8, 28) if device.type == "cpu" else (32, 112)
    with torch.random.fork_rng(devices=[]):
        network = nn.Sequential(
            *(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
            *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(inplace=True)),
        )
        image = torch.randn(batch, 64, side, side)
    form = memory_format(channels_last)
    return network.to(device, memory_format=form), image.to(device, memory_format=form)  # type: ignore[call-overload]


def memory_format(channels_last: bool) -> torch.memory_format:
    """Give PyTorch's name of a layout."""
    return torch.channels_last if channels_last else torch.contiguous_format


def _forward(network: nn.Module, image: torch.Tensor, precision: str) -> float:
    """Run it once; returns seconds."""
    kind = image.device.type
    half = torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16-mixed")
    with torch.inference_mode(), half:
        _wait(kind)
        begin = time.perf_counter()
        network(image)
        _wait(kind)
    return time.perf_counter() - begin


def _wait(kind: str) -> None:
    if kind == "cuda":
        torch.cuda.synchronize()


def fastest(timings: Sequence[Timing], **asked: Any) -> Timing:
    """Choose a way to compute.

    What is usual (float32, channels last, all threads) is left only for something that is faster by
    `MARGIN`: a small difference is chance.

    Args:
        timings: At least one.
        **asked: Fields of `Timing` that are settled already; a value that was not measured is
            passed over.
    """
    left = list(timings)
    for field, value in asked.items():
        left = [t for t in left if getattr(t, field) == value] or left
    most = max((t.threads for t in left), key=lambda threads: threads or 0)
    for field, usual in (("precision", "32-true"), ("channels_last", True), ("threads", most)):
        left = _settle(left, field, usual)
    return left[0]


def _settle(timings: list[Timing], field: str, usual: object) -> list[Timing]:
    """Keep the timings of one value: the usual, unless another is faster by the margin."""
    best = min(timings, key=lambda t: t.ms)
    as_usual = [t for t in timings if getattr(t, field) == usual]
    if as_usual and min(t.ms for t in as_usual) < MARGIN * best.ms:
        return as_usual
    return [t for t in timings if getattr(t, field) == getattr(best, field)]


def gain(timings: Sequence[Timing], chosen: Timing) -> float:
    """Tell how many times faster a way is than plain float32, contiguous in memory.

    Where that was not measured, than the slowest.
    """
    is_plain = [t for t in timings if t.precision == "32-true" and not t.channels_last]
    return min((t.ms for t in is_plain), default=max(t.ms for t in timings)) / chosen.ms
