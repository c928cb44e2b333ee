"""The optimiser, its parameter groups and its schedule."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from xray.errors import ConfigError


def build_optimizer(
    head: nn.Module, blocks: Iterable[nn.Module], settings: Mapping[str, Any]
) -> Optimizer:
    """Build an optimiser with one group for the head and one for the backbone's blocks.

    Blocks that are unfrozen later belong to it from the start, so that its state has one shape all
    through a run and fits after a resume; a parameter that is still frozen has no gradient and is
    passed over.

    Args:
        head: Trained at `lr`.
        blocks: Trained, now or later, at `backbone_lr`.
        settings: `name` (adamw | sgd), `lr`, `backbone_lr`, `weight_decay`, `momentum` (sgd).

    Raises:
        ConfigError: When `name` is unknown.
    """
    backbone = [parameter for block in blocks for parameter in block.parameters()]
    groups: list[dict[str, Any]] = [
        {"name": "head", "params": list(head.parameters()), "lr": settings["lr"]}
    ]
    if backbone:
        groups.append({"name": "backbone", "params": backbone, "lr": settings["backbone_lr"]})
    match settings["name"]:
        case "adamw":
            return AdamW(groups, weight_decay=settings["weight_decay"])
        case "sgd":
            return SGD(groups, momentum=settings["momentum"], weight_decay=settings["weight_decay"])
        case name:
            raise ConfigError(f"optim.name is '{name}'; expected adamw or sgd.")


def build_schedule(optimizer: Optimizer, settings: Mapping[str, Any], max_epochs: int) -> LambdaLR:
    """Build the learning rate's course over epochs, see `lr_factor`."""
    return LambdaLR(optimizer, lambda epoch: lr_factor(epoch, settings, max_epochs))


def lr_factor(epoch: int, settings: Mapping[str, Any], max_epochs: int) -> float:
    """Give the factor on the learning rate in `epoch`, in (0, 1].

    A linear warm-up, (e + 1) / (w + 1) for e < w, then 1 (constant) or a cosine that would reach 0
    at `max_epochs` (Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, without
    restarts).
    """
    warmup = settings["warmup_epochs"]
    if epoch < warmup:
        return float((epoch + 1) / (warmup + 1))
    if settings["schedule"] == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (epoch - warmup) / max(1, max_epochs - warmup))))
