"""Optimizer, parameter groups and learning rate schedule."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from xray.errors import ConfigError
from xray.model.targets import build

DEFAULTS: dict[str, Any] = {
    "name": "adamw",
    "lr": 1e-3,
    "backbone_lr": 1e-4,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "schedule": "constant",
    "warmup_epochs": 0,
}
"""The settings of conf/optim/adamw.yaml, used for keys that are missing."""


def build_optimizer(
    head: nn.Module, blocks: Iterable[nn.Module], settings: Mapping[str, Any]
) -> Optimizer:
    """Build an optimizer with one parameter group for the head and one for the backbone's blocks.

    Blocks that are unfrozen during training belong to the group from the start, so the optimizer's
    state fits after a resume. Frozen parameters have no gradient and are not updated.

    Args:
        head: Trained at the learning rate `lr`.
        blocks: Blocks that are trained from some epoch on, at `backbone_lr`.
        settings: `name` (adamw | sgd), `lr`, `backbone_lr`, `weight_decay`, `momentum` (sgd).
            `optimizer`, {"_target_": dotted path, ...}, replaces `name`, `weight_decay` and
            `momentum`.

    Raises:
        ConfigError: The optimizer is unknown or does not accept its arguments.
    """
    backbone = [parameter for block in blocks for parameter in block.parameters()]
    groups: list[dict[str, Any]] = [
        {"name": "head", "params": list(head.parameters()), "lr": settings["lr"]}
    ]
    if backbone:
        groups.append({"name": "backbone", "params": backbone, "lr": settings["backbone_lr"]})
    if custom := settings.get("optimizer"):
        optimizer: Optimizer = build(custom, "optim.optimizer", groups, lr=settings["lr"])
        return optimizer
    match settings["name"]:
        case "adamw":
            return AdamW(groups, weight_decay=settings["weight_decay"])
        case "sgd":
            return SGD(groups, momentum=settings["momentum"], weight_decay=settings["weight_decay"])
        case name:
            raise ConfigError(
                f"optim.name is '{name}'; expected adamw or sgd. Name another optimizer by "
                "optim.optimizer._target_."
            )


def build_schedule(
    optimizer: Optimizer, settings: Mapping[str, Any], max_epochs: int
) -> LRScheduler:
    """Build the learning rate schedule, stepped once per epoch.

    Args:
        optimizer: The optimizer.
        settings: `schedule` ("constant" | "cosine") and `warmup_epochs`, see `lr_factor`; or
            `schedule` as {"_target_": dotted path of an `LRScheduler`, ...}.
        max_epochs: Number of epochs.

    Raises:
        ConfigError: The schedule cannot be imported or does not accept its arguments.
    """
    if isinstance(settings["schedule"], Mapping):
        schedule: LRScheduler = build(settings["schedule"], "optim.schedule", optimizer)
        return schedule
    return LambdaLR(optimizer, lambda epoch: lr_factor(epoch, settings, max_epochs))


def lr_factor(epoch: int, settings: Mapping[str, Any], max_epochs: int) -> float:
    """Compute the factor on the learning rate in an epoch, in (0, 1].

    A linear warm-up, (e + 1) / (w + 1) for e < w, is followed by 1 (constant) or by a cosine that
    would reach 0 at `max_epochs` (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts).
    """
    warmup = settings["warmup_epochs"]
    if epoch < warmup:
        return float((epoch + 1) / (warmup + 1))
    if settings["schedule"] == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (epoch - warmup) / max(1, max_epochs - warmup))))
