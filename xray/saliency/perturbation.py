"""Perturbed images: pixels replaced in the order of their relevance."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import cg

from xray.saliency.localization import Heat
from xray.stats.scores import Ints

Image = NDArray[np.float32]
"""(H, W) gray values in [0, 1]."""

PERCENTILES = (50, 60, 70, 80, 90)
"""Percentiles of relevance beyond which ROAD removes pixels. Half of the image is removed at most,
because the time to fill a hole grows faster than the hole."""
NOISE = 0.01
"""Standard deviation of the noise that ROAD adds to imputed pixels, as in the reference code."""
STEPS = 10
"""Steps in which deletion and insertion replace all pixels."""
BLUR = 0.1
"""Standard deviation of the blur that insertion starts from, as a share of the longer side. It
hides whole opacities; the value of Petsiuk et al. (0.02) leaves them visible."""
_NEIGHBORS = {
    (dy, dx): 1 / 6 if 0 in (dy, dx) else 1 / 12
    for dy in (-1, 0, 1)
    for dx in (-1, 0, 1)
    if (dy, dx) != (0, 0)
}
"""(row, column) offset of each neighbor -> its weight in ROAD's imputation."""
_KEPT, _OUTSIDE = -1, -2
"""Numbers of pixels that are no unknown of the linear system."""


def pixel_order(heat: Heat, rng: np.random.Generator) -> Ints:
    """Rank pixels by relevance; equally relevant pixels are ranked at random.

    Args:
        heat: (H, W), greater means more relevant.
        rng: Generator that ranks equal values, such as the many zeros of a map.

    Returns:
        (H, W), a permutation of 0 ... HW - 1; 0 is the most relevant pixel.
    """
    order = np.empty(heat.size, np.int64)
    order[np.lexsort((rng.random(heat.size), -heat.ravel()))] = np.arange(heat.size)
    return order.reshape(heat.shape)


def replace_pixels(start: Image, end: Image, order: Ints, steps: int = STEPS) -> Iterator[Image]:
    """Turn one image into another in equal steps, the most relevant pixels first.

    Args:
        start: (H, W), the first image.
        end: (H, W), the last image.
        order: (H, W) from `pixel_order`.
        steps: Number of steps from `start` to `end`.

    Yields:
        The `steps` - 1 images between `start` and `end`.
    """
    for step in range(1, steps):
        yield np.where(order < round(order.size * step / steps), end, start)


def road_images(
    image: Image,
    order: Ints,
    rng: np.random.Generator,
    percentiles: Sequence[int] = PERCENTILES,
    noise: float = NOISE,
) -> Iterator[Image]:
    """Remove pixels and impute them from their neighbors (ROAD, Rong et al. 2022).

    Args:
        image: (H, W) in [0, 1].
        order: (H, W) from `pixel_order`.
        rng: Generator of the noise.
        percentiles: P percentiles of relevance beyond which pixels are removed.
        noise: Standard deviation of the noise added to imputed pixels.

    Yields:
        P images without the most relevant pixels, then P images without the least relevant ones.
    """
    n = order.size
    counts = [n - int(np.ceil((n - 1) * percentile / 100)) for percentile in percentiles]
    for removed in [order < k for k in counts] + [order >= n - k for k in counts]:
        filled = impute(image, removed)
        filled[removed] += noise * rng.standard_normal(int(removed.sum()), np.float32)
        yield filled


def impute(image: Image, removed: NDArray[np.bool_]) -> Image:
    """Replace pixels by the weighted mean of their neighbors, of which some are replaced as well.

    The linear system is that of the ROAD reference code (`NoisyLinearImputer` in the grad-cam
    package). It is symmetric and positive definite, so conjugate gradients solve it several times
    faster than the package's direct solver, with differences below 1e-6.

    Args:
        image: (H, W).
        removed: (H, W), True for the pixels to replace; at least one pixel is kept.

    Returns:
        A copy of (H, W) float32.
    """
    n = int(removed.sum())
    number = np.full(removed.shape, _KEPT)
    number[removed] = np.arange(n)
    # A border of one pixel outside the image has no weight.
    numbers, values = np.pad(number, 1, constant_values=_OUTSIDE), np.pad(image, 1)
    rows, columns = (where + 1 for where in np.nonzero(removed))
    total, known, entries = np.zeros(n), np.zeros(n), []
    for (dy, dx), weight in _NEIGHBORS.items():
        neighbor = numbers[rows + dy, columns + dx]
        total += weight * (neighbor != _OUTSIDE)
        known += weight * (neighbor == _KEPT) * values[rows + dy, columns + dx]
        unknown = np.flatnonzero(neighbor >= 0)
        entries.append((np.full(len(unknown), -weight), unknown, neighbor[unknown]))
    data, i, j = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    system = diags_array(total).tocsr() + coo_array((data, (i, j)), shape=(n, n)).tocsr()
    solution, _ = cg(system, known, rtol=1e-8, atol=0.0)
    filled = image.astype(np.float32, copy=True)
    filled[removed] = solution
    return filled


def mean_gray(image: Image) -> Image:
    """Return an image of the mean gray value, where deletion ends."""
    return np.full_like(image, image.mean())


def blur(image: Image, share: float = BLUR) -> Image:
    """Blur an (H, W) image with a standard deviation of `share` of the longer side."""
    blurred = cv2.GaussianBlur(
        image, (0, 0), share * max(image.shape), borderType=cv2.BORDER_REPLICATE
    )
    return np.asarray(blurred, np.float32)
