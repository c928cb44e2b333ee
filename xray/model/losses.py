"""Training losses."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from xray.model.targets import TARGET, build, locate


def build_loss(
    spec: Mapping[str, Any] | None, class_weights: Sequence[float] | None = None
) -> nn.Module:
    """Build the training loss, a module that maps logits (B, K) and targets (B,) to a scalar.

    Args:
        spec: {"_target_": dotted path of a class, ...}; the other items are its arguments. None:
            cross-entropy.
        class_weights: One positive weight per class. A class that has an argument `weight`, as the
            losses of `torch.nn` do, receives them; other losses ignore them.

    Raises:
        ConfigError: The class cannot be imported, or does not accept the arguments.

    Examples:
        >>> build_loss({"_target_": "torch.nn.CrossEntropyLoss", "label_smoothing": 0.1})
        CrossEntropyLoss()
    """
    weight = None if class_weights is None else torch.tensor(class_weights)
    if spec is None:
        return nn.CrossEntropyLoss(weight=weight)
    weighted = weight is not None and _accepts_weight(locate(spec[TARGET], "model.loss"))
    loss: nn.Module = build(spec, "model.loss", **({"weight": weight} if weighted else {}))
    return loss


def _accepts_weight(made: Any) -> bool:
    try:
        return "weight" in inspect.signature(made).parameters
    except ValueError:
        return False
