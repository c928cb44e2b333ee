"""Limits of the machine, and the speed of the cache relative to them."""

import time
from collections.abc import Callable
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.cache_speed import fill_speed, read_speed
from benchmarks.flops import forward_flops
from benchmarks.setting import BATCH, Setting
from xray.model.backbone import build_backbone
from xray.training.compute import has_bfloat16

Row = dict[str, Any]
COPIED = 64 * 2**20
"""Bytes of the copied block, more than fit into the caches of a processor."""


def limits(
    setting: Setting, side: int | None = None, seconds: float = 3.0, rounds: int = 3
) -> list[Row]:
    """Measure a matrix product, a copy, the bare backbone, and the cache.

    Args:
        setting: The setting; the cache is filled with its training images.
        side: Side of the matrices; None: 8192 on a GPU, 4096 on the CPU.
        seconds: Duration of each measurement in a round.
        rounds: Number of rounds, of which medians are taken. The cache is filled after the first.
    """
    measured = [_round(setting, side, seconds)]
    filled, read = fill_speed(setting), read_speed(setting)
    measured += [_round(setting, side, seconds) for _ in range(rounds - 1)]
    product, copied, bare = (median(values) for values in zip(*measured, strict=True))
    used = bare * forward_flops(setting.size) / 1e9
    name = str(_dtype(_device())).removeprefix("torch.")
    return [
        _row(f"{name} matrix product", product, "GFLOP/s"),
        _row("memcpy", copied, "GB/s"),
        _row(f"bare {name} backbone, batches of {BATCH}", bare, "images/s"),
        _row("cache fill", filled, "images/s"),
        _row("reading the cache", read, "GB/s"),
        _row("cache fill, of the bare backbone", 100 * filled / bare, "%"),
        _row("bare backbone, of the matrix product", 100 * used / product, "%"),
        _row("reading the cache, of memcpy", 100 * read / copied, "%"),
    ]


def _round(setting: Setting, side: int | None, seconds: float) -> tuple[float, float, float]:
    """Measure GFLOP/s of a matrix product, GB/s of a copy and images/s of the backbone."""
    device = _device()
    dtype = _dtype(device)
    side = side or (8192 if device.type == "cuda" else 4096)
    matrix = torch.randn(side, side, device=device).to(dtype)
    block = np.ones(COPIED, dtype=np.uint8)
    target = np.empty_like(block)
    network = build_backbone("vgg16").to(device, dtype).eval()
    network = network.to(memory_format=torch.channels_last)
    images = torch.zeros(BATCH, 3, setting.size, setting.size, device=device, dtype=dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        product = rate(lambda: matrix @ matrix, seconds, device)
        copied = rate(lambda: np.copyto(target, block), seconds, device)
        forward = rate(lambda: network(images), seconds, device)
    return product * 2 * side**3 / 1e9, copied * COPIED / 1e9, forward * BATCH


def rate(call: Callable[[], object], seconds: float, device: torch.device) -> float:
    """Repeat a call for some seconds; return calls per second, without the first call."""
    call()
    _wait(device)
    begin, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - begin) < seconds or not done:
        call()
        _wait(device)
        done += 1
    return done / passed


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def _dtype(device: torch.device) -> torch.dtype:
    """Return the dtype of the frozen part on this machine."""
    return torch.bfloat16 if has_bfloat16(device) else torch.float32


def _row(name: str, value: float, unit: str) -> Row:
    return {"name": name, "value": value, "unit": unit}
