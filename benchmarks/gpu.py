"""Training on a GPU: the whole network from files, and a head from the cache."""

from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.limits import rate
from benchmarks.loops import cold, ours
from benchmarks.setting import BATCH, Setting
from benchmarks.training import SHORT
from xray.model.backbone import build_backbone
from xray.model.head import Head


def gpu(setting: Setting) -> list[dict[str, Any]]:
    """Measure images per second in bf16; return no rows without a GPU."""
    return gpu_rows(setting, torch.device("cuda")) if torch.cuda.is_available() else []


def gpu_rows(setting: Setting, device: torch.device, seconds: float = 5.0) -> list[dict[str, Any]]:
    """Train all layers, compared with a loop whose images are on the device, and a head.

    Args:
        setting: The setting; its images are read in every epoch, with one loader process per core,
            at most four.
        device: Device of the bare loop; the framework uses a GPU if there is one.
        seconds: Duration of the bare loop.
    """
    bare = bare_speed(setting.size, device, seconds)
    with cold(setting) as folder:
        precision = "trainer.precision=bf16-mixed"
        whole = ("model.trainable=all", "cache=off", "data.workers=auto", precision)
        speed = _speed(setting, folder, *whole)
        head = _speed(setting, folder, "cache=only", precision)
    against = "bare torch loop, its images on the device already"
    row = {"name": "all layers, from files", "against": against, "base_speed": bare}
    return [
        row | {"speed": speed, "share": 100 * speed / bare},
        {"name": "head, from the cache", "against": "", "speed": head},
    ]


def bare_speed(size: int, device: torch.device, seconds: float) -> float:
    """Train all layers in bf16, channels last, on a synthetic batch; return images per second."""
    head = Head(512, 2, pooling="avg", norm="layer", hidden=[256], dropout=0.5)
    network = nn.Sequential(build_backbone("vgg16"), head)
    network = network.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    images = torch.randn(BATCH, 3, size, size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    targets = torch.arange(BATCH, device=device) % 2

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, dtype=torch.bfloat16):
            loss = F.cross_entropy(network(images), targets)
        torch.autograd.backward(loss)
        optimizer.step()

    return BATCH * rate(step, seconds, device)


def _speed(setting: Setting, folder: Path, *options: str) -> float:
    """Run a training and return images per second of its median epoch, without validation."""
    timed = ours(setting, folder, *options, epochs=SHORT)
    images = sum(1 for path in setting.root.glob("train/*/*"))
    return images / median(timed.training)
