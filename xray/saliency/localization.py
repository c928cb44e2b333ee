"""How well a map fits a mask, and maps that know nothing of the image to compare it with."""

import numpy as np
from numpy.typing import NDArray

from xray.saliency.overlay import Mask

Heat = NDArray[np.floating]

LEVELS = tuple(level / 20 for level in range(1, 20))
"""Shares of a map's maximum among which the best threshold is sought."""


def pointing(heat: Heat, mask: Mask) -> float:
    """Play the pointing game without tolerance (Zhang et al. 2016): is the maximum in the mask.

    Args:
        heat: (H, W).
        mask: (H, W).

    Returns:
        Of the points that share the maximum, the part inside; 0 for a map without evidence.
    """
    most = heat.max()
    return float(mask[heat == most].mean()) if most > 0 else 0.0


def energy(heat: Heat, mask: Mask) -> float:
    """Give the share of the map's positive sum inside the mask; NaN for a map without evidence."""
    positive = np.clip(heat, 0, None).astype(np.float64)
    total = positive.sum()
    return float(positive[mask].sum() / total) if total > 0 else float("nan")


def iou(heat: Heat, mask: Mask, level: float = 0.5) -> float:
    """Give intersection over union of the mask and what reaches `level` of the map's maximum."""
    most = heat.max()
    hot = heat >= level * most if most > 0 else np.zeros_like(mask)
    union = (hot | mask).sum()
    return float((hot & mask).sum() / union) if union else float("nan")


def best_iou(heat: Heat, mask: Mask) -> float:
    """Give the highest of the `iou` at `LEVELS`: of each map its own, so an upper bound."""
    return max(iou(heat, mask, level) for level in LEVELS)


def centre_prior(height: int, width: int, spread: float = 0.25) -> NDArray[np.float32]:
    """Draw a Gaussian at the middle of the image.

    Args:
        height: Pixels.
        width: Pixels.
        spread: Standard deviation, as a share of each side.

    Returns:
        (H, W) float32 in (0, 1].
    """
    down = (np.arange(height) - (height - 1) / 2) / (spread * height)
    across = (np.arange(width) - (width - 1) / 2) / (spread * width)
    drawn: NDArray[np.float32] = np.exp(-(down[:, None] ** 2 + across**2) / 2).astype(np.float32)
    return drawn


def mean_of_others(total: Heat, own: Heat, n: int) -> Heat | None:
    """Average the maps of a class without one of them.

    Args:
        total: (H, W), sum of all n maps.
        own: (H, W), the one left out.
        n: How many maps `total` is of.

    Returns:
        (H, W); None where there is no other.
    """
    return np.clip((total - own) / (n - 1), 0, None) if n > 1 else None
