"""Saliency maps of many images with baselines: center prior, mean map, randomized weights."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from xray.data.dataset import SplitDataset
from xray.saliency.gradcam import BATCH, Explainable, Saliency, activate, maps_of, predict
from xray.saliency.localization import Heat, center_prior, mean_of_others
from xray.saliency.parts import HookedBody, Parts, split_model
from xray.stats.rule import EVEN
from xray.stats.scores import Floats, Ints, predict_classes

MAP = "map"
RANDOMIZED = "randomized weights"
MAPS = (MAP, "center prior", "mean map of the class", RANDOMIZED)


@dataclass(frozen=True)
class MapSet:
    """The saliency maps of N images, stored in a file.

    Attributes:
        maps: (N, H, W) float32 in [0, 1], maps of the classifier.
        randomized: (N, H, W) float32 in [0, 1], maps of the classifier with randomized weights.
        explained: (N,) class that both maps explain.
        peaks: Name of the map (the two above) -> (N,) maximum before rescaling to [0, 1].
        totals: Class -> (H, W) sum of the maps that explain it.
    """

    maps: NDArray[np.float32]
    randomized: NDArray[np.float32]
    explained: Ints
    peaks: dict[str, Floats]
    totals: dict[int, Heat]

    def __len__(self) -> int:
        return len(self.explained)

    def with_baselines(self, i: int) -> dict[str, Heat]:
        """Return the map of image i and its baselines by name.

        The mean map of the class is missing if no other image has this class.
        """
        k = int(self.explained[i])
        n = int(np.sum(self.explained == k))
        own = self.maps[i]
        found = (own, center_prior(*own.shape), mean_of_others(self.totals[k], own, n))
        pairs = zip(MAPS, (*found, self.randomized[i]), strict=True)
        return {name: heat for name, heat in pairs if heat is not None}


@dataclass(frozen=True)
class MapOptions:
    """How saliency maps are computed.

    Attributes:
        method: A key of `xray.saliency.methods.METHODS`.
        device: Device of the models.
        threshold: With two classes, the probability above which the second class is predicted.
        bar: Whether progress bars are shown.
    """

    method: str
    device: torch.device | str = "cpu"
    threshold: float = EVEN
    bar: bool = True


@contextmanager
def compute_maps(
    model: Explainable,
    randomized: Explainable,
    dataset: SplitDataset,
    indices: Sequence[int],
    options: MapOptions,
) -> Iterator[MapSet]:
    """Compute the maps of images, for the class that the classifier predicts.

    The maps are stored in a temporary file, so the memory does not grow with the images.

    Args:
        model: The classifier.
        randomized: The same network with randomized weights.
        dataset: The split.
        indices: Indices of the images in the split, at least one.
        options: How the maps are computed.
    """
    n, size = len(indices), tuple(dataset.pixels(indices[0]).shape[-2:])
    pair = _Pair(split_model(model), split_model(randomized), options)
    with tempfile.TemporaryDirectory() as folder:
        maps, others = (
            np.lib.format.open_memmap(Path(folder) / name, "w+", np.float32, (n, *size))
            for name in ("maps.npy", "randomized.npy")
        )
        explained, peaks = np.zeros(n, np.int64), {MAP: np.zeros(n), RANDOMIZED: np.zeros(n)}
        steps = range(0, n, BATCH)
        for start in track(steps, "Explaining", transient=True, disable=not options.bar):
            some = slice(start, start + BATCH)
            images = torch.stack([dataset.pixels(i) for i in indices[some]]).to(options.device)
            explained[some], found, other = pair.explain(images)
            maps[some], peaks[MAP][some] = found.maps, found.peaks
            others[some], peaks[RANDOMIZED][some] = other.maps, other.peaks
        totals = {
            int(k): np.sum(maps, axis=0, where=(explained == k)[:, None, None])
            for k in np.unique(explained)
        }
        yield MapSet(maps, others, explained, peaks, totals)


class _Pair:
    """A network and the same network with randomized weights."""

    def __init__(self, own: Parts, randomized: Parts, options: MapOptions) -> None:
        self.own = own
        self.randomized = randomized
        self.options = options
        # If only the head was trained the bodies are equal, and most of the work is done once.
        self.shared = _same(own[0], randomized[0])

    def explain(self, images: Tensor) -> tuple[Ints, Saliency, Saliency]:
        """Return the predicted class of each image, and the maps of both networks for it."""
        size, method = images.shape[-2:], self.options.method
        body, tail = self.own
        activations = activate(body, images)
        classes = predict_classes(predict(tail, activations), self.options.threshold)
        found = maps_of(activations, tail, size, classes.tolist(), method)
        other_body, other_tail = self.randomized
        if not self.shared:
            activations = activate(other_body, images)
        return classes, found, maps_of(activations, other_tail, size, classes.tolist(), method)


def _same(one: nn.Module, other: nn.Module) -> bool:
    """Check whether two bodies of one structure have the same weights."""
    if isinstance(one, HookedBody):
        # A hooked tail needs the images that its own body saw.
        return False
    mine, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in mine.items())
