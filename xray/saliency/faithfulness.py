"""Faithfulness of saliency maps: ROAD, deletion, insertion.

All three change pixels in the order of their relevance and follow the probability of the explained
class. The perturbed images of all maps and images pass through the network in shared batches, and
each image's original, gray and blurred versions are predicted once, not once for each map.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from xray.data.dataset import SplitDataset
from xray.saliency.baselines import MAPS, MapSet
from xray.saliency.gradcam import as_is
from xray.saliency.perturbation import (
    Image,
    blur,
    mean_gray,
    pixel_order,
    replace_pixels,
    road_images,
)
from xray.stats.scores import Floats, Ints

ROAD = "ROAD (more is better)"
DELETION = "deletion (less is better)"
INSERTION = "insertion (more is better)"
MEASURES = (ROAD, DELETION, INSERTION)
BATCH = 16
"""Perturbed images in one forward pass."""

Measured = dict[tuple[str, str], Floats]
"""(measure, map) -> (N,) values; NaN where an image has no such map or was not measured."""


class FloatInput(nn.Module):
    """A classifier of uint8 images that accepts floats, which perturbations produce.

    Args:
        classify: (B, 1, H, W) uint8 -> (B, K) logits.
    """

    def __init__(self, classify: nn.Module) -> None:
        super().__init__()
        self.classify = classify

    def forward(self, images: Tensor) -> Tensor:
        """Classify (B, 1, H, W) floats, clipped to [0, 1]; return (B, K) float32 logits."""
        pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8)
        logits: Tensor = self.classify(pixels).float()
        return logits


@dataclass(frozen=True)
class _Series:
    """Images whose probabilities belong together.

    Attributes:
        position: Position of the image among those that were explained.
        name: (measure, map); or (version of the image, "") for a version that all maps share.
        images: The (H, W) images in [0, 1].
    """

    position: int
    name: tuple[str, str]
    images: Iterator[Image]


def measure_faithfulness(
    classify: nn.Module,
    dataset: SplitDataset,
    indices: Sequence[int],
    maps: MapSet,
    positions: Sequence[int],
    *,
    device: torch.device | str,
    seed: int,
    deadline: float | None = None,
    batch: int = BATCH,
    bar: bool = True,
) -> Measured:
    """Measure ROAD, deletion and insertion of the maps and baselines of some images.

    The values of an image depend on `seed` and its index in the dataset, not on the other images.

    Args:
        classify: The classifier, (B, 1, H, W) uint8 -> (B, K) logits, on `device`.
        dataset: The split.
        indices: Indices in the dataset of the N images in `maps`.
        maps: Their saliency maps and baselines.
        positions: Positions in `indices` of the images to measure.
        device: Device of the classifier.
        seed: Seed of ROAD's noise and of the order of equally relevant pixels.
        deadline: Time on the clock of `time.monotonic`, in seconds, after which no further measure
            of an image is started; ROAD of the first image is always measured. None: no limit.
        batch: Perturbed images in one forward pass; it changes the values by rounding errors only.
        bar: Whether a progress bar is shown.

    Returns:
        One entry for each measure and map that was measured on any image.
    """
    network = FloatInput(classify)
    found: dict[int, dict[tuple[str, str], Floats]] = {position: {} for position in positions}
    series = _all_series(dataset, indices, maps, positions, seed=seed, deadline=deadline, bar=bar)
    with as_is(network, device=torch.device(device)), torch.no_grad():
        for one, probabilities in _predicted(network, series, maps.explained, device, batch):
            found[one.position][one.name] = probabilities
    return _score_all(found, len(indices))


def _score_all(found: Mapping[int, Mapping[tuple[str, str], Floats]], n: int) -> Measured:
    """Compute the measures of images from the probabilities of their series.

    Args:
        found: Position -> name of a series -> its probabilities.
        n: Number of images, of which those at other positions are NaN.
    """
    values: Measured = {}
    for position, curves in found.items():
        shared = {version: curve for (version, name), curve in curves.items() if not name}
        for (measure, name), curve in curves.items():
            if name:
                row = values.setdefault((measure, name), np.full(n, np.nan))
                row[position] = _score(measure, curve, shared)
    return values


def _score(measure: str, inner: Floats, shared: Mapping[str, Floats]) -> float:
    """Compute a measure from the probabilities of a map's perturbed images.

    Args:
        measure: One of `MEASURES`.
        inner: (S,) probabilities of the perturbed images.
        shared: Probabilities, (1,) each, of the image's versions that all maps share.
    """
    if measure == ROAD:
        most_relevant_removed, least_relevant_removed = np.split(inner, 2)
        return float(least_relevant_removed.mean() - most_relevant_removed.mean()) / 2
    start, end = (_ORIGINAL, _GRAY) if measure == DELETION else (_BLURRED, _ORIGINAL)
    return area(np.concatenate([shared[start], inner, shared[end]]))


_ORIGINAL, _GRAY, _BLURRED = "original", "gray", "blurred"


def _all_series(
    dataset: SplitDataset,
    indices: Sequence[int],
    maps: MapSet,
    positions: Sequence[int],
    *,
    seed: int,
    deadline: float | None,
    bar: bool,
) -> Iterator[_Series]:
    """Yield what is to be predicted, image by image, until the deadline."""
    for position in track(positions, "Measuring faithfulness", transient=True, disable=not bar):
        index = indices[position]
        image: Image = dataset.pixels(index)[0].float().div(255).numpy()
        heats = maps.with_baselines(position)
        # A generator for each map: the values of one do not depend on which others there are.
        rngs = {name: np.random.default_rng([seed, index, MAPS.index(name)]) for name in heats}
        orders = {name: pixel_order(heat, rngs[name]) for name, heat in heats.items()}
        for measure in MEASURES:
            first = position == positions[0] and measure == ROAD
            if deadline is not None and time.monotonic() > deadline and not first:
                return
            yield from _series_of(measure, position, image, orders, rngs)


def _series_of(
    measure: str,
    position: int,
    image: Image,
    orders: Mapping[str, Ints],
    rngs: Mapping[str, np.random.Generator],
) -> Iterator[_Series]:
    """Yield the images of one measure: those that all maps share, then those of each map."""
    start, end = image, image
    if measure == DELETION:
        end = mean_gray(image)
        yield _Series(position, (_ORIGINAL, ""), iter([start]))
        yield _Series(position, (_GRAY, ""), iter([end]))
    elif measure == INSERTION:
        start = blur(image)
        yield _Series(position, (_BLURRED, ""), iter([start]))
    for name, order in orders.items():
        images = (
            road_images(image, order, rngs[name])
            if measure == ROAD
            else replace_pixels(start, end, order)
        )
        yield _Series(position, (measure, name), images)


def _predicted(
    network: nn.Module,
    series: Iterator[_Series],
    explained: Ints,
    device: torch.device | str,
    batch: int,
) -> Iterator[tuple[_Series, Floats]]:
    """Predict all series in batches that ignore their borders.

    Yields:
        Each series with its (S,) probabilities of the class that is explained.
    """
    flat = ((one, image) for one in series for image in one.images)
    owner: _Series | None = None
    collected: list[float] = []
    while chunk := list(islice(flat, batch)):
        images = torch.from_numpy(np.stack([image for _, image in chunk]))[:, None]
        targets = torch.tensor([int(explained[one.position]) for one, _ in chunk])
        shares = network(images.to(device)).softmax(dim=1).cpu()
        for (one, _), share in zip(chunk, shares.gather(1, targets[:, None])[:, 0], strict=True):
            if owner is not None and one is not owner:
                yield owner, np.array(collected)
                collected = []
            owner = one
            collected.append(float(share))
    if owner is not None:
        yield owner, np.array(collected)


def area(curve: Floats) -> float:
    """Compute the area below an (S,) curve over [0, 1] by the trapezoidal rule."""
    return float(np.trapezoid(curve) / (len(curve) - 1))
