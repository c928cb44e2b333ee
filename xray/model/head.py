"""Classification head: fully connected layers on a backbone's last feature map."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xray.errors import ConfigError

Pooling = Literal["avg", "max", "avgmax", "flatten"]
Norm = Literal["batch", "layer", "none"]

_GRID = 7


class Head(nn.Module):
    """Pooling, normalization, [Linear, ReLU, Dropout] for each hidden size, and a final Linear.

    Without hidden layers it is a linear probe: [Dropout, Linear]. No layer works in place, because
    Grad-CAM differentiates with respect to the input. All layers run in float32, also under
    autocast: bfloat16 logits have 8 significant bits, and the resulting ties distort the AUROC.

    Args:
        channels: Channels of the feature map.
        num_classes: Number of logits, at least 2.
        pooling: "avg" or "max" over all positions; "avgmax", averages followed by maxima;
            "flatten", the average of each cell of a 7 x 7 grid, flattened, as in VGG.
        norm: Normalization of the pooled features: "batch" (`BatchNorm1d`, which needs at least two
            images per training batch), "layer" (`LayerNorm`) or "none".
        hidden: Sizes of the hidden layers; may be empty.
        dropout: Probability in [0, 1) of dropping a hidden activation in training.

    Raises:
        ConfigError: An argument is out of range.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        *,
        pooling: Pooling,
        norm: Norm,
        hidden: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        _check(num_classes, pooling, norm, hidden, dropout)
        self.pooling = pooling
        width = channels * {"avg": 1, "max": 1, "avgmax": 2, "flatten": _GRID**2}[pooling]
        self.norm = _build_norm(norm, width)
        layers: list[nn.Module] = []
        for size in hidden:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        if not hidden:
            layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers, nn.Linear(width, num_classes))

    def forward(self, features: Tensor) -> Tensor:
        """Classify feature maps.

        Args:
            features: (B, channels, h, w), any floating dtype; or, unless the pooling is "flatten",
                the result of `pool` with "avgmax", (B, 2 channels) float32.

        Returns:
            (B, num_classes) float32 logits.
        """
        device = features.device.type
        # Only entered under autocast: exporters trace the context manager as an operator.
        autocast = torch.is_autocast_enabled(device)
        with torch.autocast(device, enabled=False) if autocast else nullcontext():
            logits: Tensor = self.layers(self.norm(self._pooled(features.float())))
        return logits

    def _pooled(self, features: Tensor) -> Tensor:
        if features.ndim > 2:  # noqa: PLR2004
            return pool(features, self.pooling)
        average, maximum = features.chunk(2, dim=1)
        return {"avg": average, "max": maximum, "avgmax": features}[self.pooling]


def pool(features: Tensor, pooling: Pooling) -> Tensor:
    """Reduce feature maps to one vector per image.

    Args:
        features: (B, C, h, w) float.
        pooling: See `Head`.

    Returns:
        (B, C) for "avg" and "max", (B, 2 C) for "avgmax", (B, 49 C) for "flatten".
    """
    match pooling:
        case "avg":
            return features.mean(dim=(2, 3))
        case "max":
            return features.amax(dim=(2, 3))
        case "avgmax":
            return torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        case "flatten":
            # Adaptive pooling has no deterministic gradient on a GPU; 224 pixels do not need it.
            if features.shape[2:] != (_GRID, _GRID):
                features = F.adaptive_avg_pool2d(features, _GRID)
            return features.flatten(1)


def _build_norm(norm: Norm, width: int) -> nn.Module:
    match norm:
        case "batch":
            # Random backbones produce variances below 1e-5, the default of eps.
            return nn.BatchNorm1d(width, eps=1e-8)
        case "layer":
            return nn.LayerNorm(width)
        case "none":
            return nn.Identity()


def _check(
    num_classes: int, pooling: str, norm: str, hidden: Sequence[int], dropout: float
) -> None:
    if num_classes < 2:  # noqa: PLR2004
        raise ConfigError(f"num_classes={num_classes}: a classifier needs at least 2 classes.")
    for key, value, options in (
        ("pooling", pooling, get_args(Pooling)),
        ("norm", norm, get_args(Norm)),
    ):
        if value not in options:
            raise ConfigError(
                f"model.head.{key}={value} is not an option. Options: {', '.join(options)}."
            )
    if any(size < 1 for size in hidden):
        raise ConfigError(f"model.head.hidden={list(hidden)}: every size must be at least 1.")
    if not 0 <= dropout < 1:
        raise ConfigError(f"model.head.dropout={dropout}: expected a probability in [0, 1).")
