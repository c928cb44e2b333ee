"""Agreement of a saliency map with a mask, and baselines that ignore the image."""

import numpy as np
from numpy.typing import NDArray

from xray.saliency.overlay import Mask

Heat = NDArray[np.floating]
"""(H, W) saliency map."""

LEVELS = tuple(level / 20 for level in range(1, 20))
"""Shares of a map's maximum among which the best threshold is searched."""


def pointing(heat: Heat, mask: Mask) -> float:
    """Play the pointing game without tolerance (Zhang et al. 2016): is the maximum in the mask?

    Args:
        heat: (H, W).
        mask: (H, W).

    Returns:
        1 if the maximum is inside the mask, else 0. If several pixels share the maximum, the share
        of them inside the mask. 0 for a map without positive values.
    """
    most = heat.max()
    return float(mask[heat == most].mean()) if most > 0 else 0.0


def energy(heat: Heat, mask: Mask) -> float:
    """Compute the share of the map's positive sum inside the mask; NaN without positive values."""
    positive = np.clip(heat, 0, None).astype(np.float64)
    total = positive.sum()
    return float(positive[mask].sum() / total) if total > 0 else float("nan")


def iou(heat: Heat, mask: Mask, level: float = 0.5) -> float:
    """Compute intersection over union of the mask and the pixels of at least `level` x maximum.

    Args:
        heat: (H, W).
        mask: (H, W).
        level: Share of the map's maximum, in (0, 1].

    Returns:
        A value in [0, 1]; NaN if both regions are empty.
    """
    most = heat.max()
    hot = heat >= level * most if most > 0 else np.zeros_like(mask)
    union = (hot | mask).sum()
    return float((hot & mask).sum() / union) if union else float("nan")


def best_iou(heat: Heat, mask: Mask) -> float:
    """Compute the highest `iou` over `LEVELS`: an upper bound, with the best level of each map."""
    return max(iou(heat, mask, level) for level in LEVELS)


def center_prior(height: int, width: int, spread: float = 0.25) -> NDArray[np.float32]:
    """Draw a Gaussian at the center of the image.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        spread: Standard deviation, as a share of each side.

    Returns:
        (H, W) float32 in (0, 1].
    """
    down = (np.arange(height) - (height - 1) / 2) / (spread * height)
    across = (np.arange(width) - (width - 1) / 2) / (spread * width)
    drawn: NDArray[np.float32] = np.exp(-(down[:, None] ** 2 + across**2) / 2).astype(np.float32)
    return drawn


def mean_of_others(total: Heat, own: Heat, n: int) -> Heat | None:
    """Average the maps of a class, leaving out one of them.

    Args:
        total: (H, W), sum of all n maps.
        own: (H, W), the map that is left out.
        n: Number of maps in `total`.

    Returns:
        (H, W); None if there is no other map.
    """
    return np.clip((total - own) / (n - 1), 0, None) if n > 1 else None
