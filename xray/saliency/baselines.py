"""Maps to be scored, each beside maps that know less: a centre, a mean, random weights."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import nn

from xray.data.dataset import SplitDataset
from xray.saliency.gradcam import Explainable, activate, called, maps_of, predict
from xray.saliency.localization import Heat, centre_prior, mean_of_others
from xray.stats.scores import Floats, Ints

BATCH = 8
MAP = "map"
RANDOMISED = "randomised weights"
MAPS = (MAP, "centre prior", "mean map of the class", RANDOMISED)


@dataclass(frozen=True)
class Drawn:
    """The maps of N images, in a file.

    Attributes:
        maps: (N, H, W) float32, of the network.
        others: (N, H, W) float32, of the same network on randomised weights.
        explained: (N,) the class that both maps are of.
        peaks: Map -> (N,) its greatest value before it was rescaled; of the two by a network.
        totals: Class -> (H, W), the sum of its maps.
    """

    maps: NDArray[np.float32]
    others: NDArray[np.float32]
    explained: Ints
    peaks: dict[str, Floats]
    totals: dict[int, Heat]

    def __len__(self) -> int:
        return len(self.explained)

    def compared(self, i: int) -> dict[str, Heat]:
        """Give image i's map and its controls, by name; without a mean where it is the only one."""
        k = int(self.explained[i])
        n = int(np.sum(self.explained == k))
        own = self.maps[i]
        found = (own, centre_prior(*own.shape), mean_of_others(self.totals[k], own, n))
        pairs = zip(MAPS, (*found, self.others[i]), strict=True)
        return {name: heat for name, heat in pairs if heat is not None}


@contextmanager
def draw_maps(
    model: Explainable,
    randomised: Explainable,
    dataset: SplitDataset,
    indices: Sequence[int],
    *,
    method: str,
    device: torch.device | str,
    threshold: float,
    bar: bool,
) -> Iterator[Drawn]:
    """Draw both maps of images, of the class that the network calls.

    They lie in a temporary file, so memory does not grow with the images.

    Args:
        model: The classifier, on `device`.
        randomised: The same network with other weights, on `device`.
        dataset: The split.
        indices: Which of its images, one at least.
        method: A key of `gradcam.METHODS`.
        device: Where the models lie.
        threshold: With two classes, above which probability the second is called.
        bar: Whether a progress bar is shown.
    """
    n, size = len(indices), tuple(dataset.pixels(indices[0]).shape[-2:])
    body, tail = model.saliency_parts()
    other_body, other_tail = randomised.saliency_parts()
    # Where only the head was trained the bodies are the same, and most of the work is done once.
    shared = _same(body, other_body)
    with tempfile.TemporaryDirectory() as folder:
        maps, others = (
            np.lib.format.open_memmap(Path(folder) / name, "w+", np.float32, (n, *size))
            for name in ("maps.npy", "others.npy")
        )
        explained, peaks = np.zeros(n, np.int64), {MAP: np.zeros(n), RANDOMISED: np.zeros(n)}
        steps = range(0, n, BATCH)
        for start in track(steps, "Explaining", transient=True, disable=not bar):
            some = slice(start, start + BATCH)
            images = torch.stack([dataset.pixels(i) for i in indices[some]]).to(device)
            activations = activate(body, images)
            wanted = called(predict(tail, activations), threshold)
            found = maps_of(activations, tail, size, wanted, method)
            maps[some], peaks[MAP][some] = found.maps, found.peaks
            explained[some] = wanted
            if not shared:
                activations = activate(other_body, images)
            found = maps_of(activations, other_tail, size, wanted, method)
            others[some], peaks[RANDOMISED][some] = found.maps, found.peaks
        totals = {
            int(k): np.sum(maps, axis=0, where=(explained == k)[:, None, None])
            for k in np.unique(explained)
        }
        yield Drawn(maps, others, explained, peaks, totals)


def _same(one: nn.Module, other: nn.Module) -> bool:
    """Tell whether two modules of one structure have the same weights."""
    mine, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in mine.items())
