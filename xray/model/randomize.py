"""The same network with other weights: what its maps show, no training has taught."""

from copy import deepcopy

import torch
from torch import nn

from xray.model.classifier import XrayClassifier


def randomised(model: XrayClassifier, seed: int) -> XrayClassifier:
    """Copy a classifier and draw anew what was trained: the head, and the blocks behind the cut.

    A map that stays the same shows nothing of what was learnt (Adebayo et al. 2018).

    Args:
        model: Stays as it is.
        seed: Of the weights, which are the same on every device.
    """
    copy = deepcopy(model).cpu()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for part in (copy.backbone.suffix(copy.cut), copy.head):
            for module in part.modules():
                _reset(module)
    return copy.to(model.device)


def _reset(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
