"""What the machine can do at most: a matrix product, a copy, the bare network."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.setting import Setting
from xray.model.backbone import build_backbone


def limits(setting: Setting, side: int = 2048, seconds: float = 1.0) -> list[dict[str, Any]]:
    """Measure GFLOP/s of a bf16 product, GB/s of a copy, images/s of the bf16 backbone.

    Args:
        setting: Its `size` is the backbone's input.
        side: Of the matrices and, times 32 KiB, of the copied block.
        seconds: How long each is repeated.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    matrix = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    block = np.zeros(side * 2**15, dtype=np.uint8)
    target = np.empty_like(block)
    network = build_backbone("vgg16").to(device).to(memory_format=torch.channels_last).eval()
    images = torch.zeros(8, 3, setting.size, setting.size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16):
        product = _rate(lambda: matrix @ matrix, seconds, device)
        copied = _rate(lambda: np.copyto(target, block), seconds, device)
        forward = _rate(lambda: network(images), seconds, device)
    return [
        {"name": "bf16 product", "value": product * 2 * side**3 / 1e9, "unit": "GFLOP/s"},
        {"name": "copy", "value": copied * block.nbytes / 1e9, "unit": "GB/s"},
        {"name": "bare backbone, bf16", "value": forward * len(images), "unit": "images/s"},
    ]


def _rate(call: Callable[[], object], seconds: float, device: torch.device) -> float:
    """Repeat a call for a while; returns calls a second, the first left out."""
    call()
    _wait(device)
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        call()
        _wait(device)
        count += 1
    return count / (time.perf_counter() - begin)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
