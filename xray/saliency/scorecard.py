"""Whether maps find the lesions, beside maps that know less: a centre, a mean, random weights."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from scipy.stats import spearmanr

from xray.data.dataset import SplitDataset
from xray.errors import DataError
from xray.saliency.gradcam import Explainable, saliency_maps
from xray.saliency.masks import mask_of
from xray.saliency.measures import (
    Heat,
    best_iou,
    centre_prior,
    energy,
    iou,
    mean_of_others,
    pointing,
)
from xray.saliency.overlay import Mask
from xray.stats.bootstrap import resample
from xray.stats.scores import Floats, ratio

BATCH = 8
LESION = {
    "pointing game": pointing,
    "energy in the lesion": energy,
    "IoU at half the maximum": iou,
    "IoU at the best level": best_iou,
}
LUNG = "energy in the lungs"
LIKENESS = "rank correlation with randomised weights"
NOTE = (
    "Mean over images; 95 % intervals by a bootstrap over patients. Of the predicted class. A map "
    "that is no better than its controls, or keeps its ranks on randomised weights, explains "
    "nothing."
)
Row = dict[str, Any]


@dataclass(frozen=True)
class _Maps:
    """The maps of N images, in a file: trained and randomised, (N, H, W) float32."""

    trained: NDArray[np.float32]
    randomised: NDArray[np.float32]
    explained: NDArray[np.int64]


def score_maps(
    model: Explainable,
    randomised: Explainable,
    dataset: SplitDataset,
    *,
    method: str,
    device: torch.device | str = "cpu",
) -> list[Row]:
    """Score the maps of a split's images, and three controls, against the masks beside them.

    Lesions are looked at on images of every class but the first that have any; lungs on all that
    have a lung mask. The class explained is the one the network predicts, for all maps. Maps lie
    in a temporary file, so memory does not grow with the images.

    Args:
        model: The classifier, on `device`.
        randomised: The same network with other weights, on `device`.
        dataset: The images.
        method: A key of `gradcam.METHODS`.
        device: Where the models lie.

    Returns:
        A row a measure and a map: "measure", "map", "value" (the mean over images), "low" and
        "high" (95 %, bootstrap over patients; None where there can be none), "n".

    Raises:
        DataError: There is no image.
    """
    if not len(dataset):
        raise DataError("scorecard=true: the split has no image. Choose another: split=test.")
    with _drawn(model, randomised, dataset, method, device) as maps:
        values = _measured(maps, dataset)
    owners = [sample.owner for sample in dataset.samples]
    return [_row(measure, name, found, owners) for (measure, name), found in values.items()]


@contextmanager
def _drawn(
    model: Explainable,
    randomised: Explainable,
    dataset: SplitDataset,
    method: str,
    device: torch.device | str,
) -> Iterator[_Maps]:
    """Draw both maps of every image, of the same class."""
    shape = (len(dataset), *dataset.pixels(0).shape[-2:])
    with tempfile.TemporaryDirectory() as folder:
        one, other = (
            np.lib.format.open_memmap(Path(folder) / name, "w+", np.float32, shape)
            for name in ("trained.npy", "randomised.npy")
        )
        explained = np.zeros(len(dataset), np.int64)
        for start in track(range(0, len(dataset), BATCH), "Explaining", transient=True):
            chosen = slice(start, min(start + BATCH, len(dataset)))
            images = torch.stack([dataset.pixels(i) for i in range(chosen.start, chosen.stop)])
            images = images.to(device)
            one[chosen], probabilities = saliency_maps(
                *model.saliency_parts(), images, None, method
            )
            explained[chosen] = probabilities.argmax(axis=1)
            wanted = explained[chosen].tolist()
            other[chosen], _ = saliency_maps(*randomised.saliency_parts(), images, wanted, method)
        yield _Maps(one, other, explained)


def _measured(maps: _Maps, dataset: SplitDataset) -> dict[tuple[str, str], Floats]:
    """Measure every map: (measure, map) -> (N,), NaN where an image has no such measure."""
    n = len(dataset)
    totals = {
        int(k): np.sum(maps.trained, axis=0, where=(maps.explained == k)[:, None, None])
        for k in np.unique(maps.explained)
    }
    counts = np.bincount(maps.explained)
    centre = centre_prior(*maps.trained.shape[1:])
    values: dict[tuple[str, str], Floats] = {}
    for i in range(n):
        k = int(maps.explained[i])
        compared: dict[str, Heat | None] = {
            "map": maps.trained[i],
            "centre prior": centre,
            "mean map of the class": mean_of_others(totals[k], maps.trained[i], int(counts[k])),
            "randomised weights": maps.randomised[i],
        }
        found = {(LIKENESS, "map"): _likeness(maps.trained[i], maps.randomised[i])}
        for name, heat in compared.items():
            if heat is not None:
                found |= {(m, name): v for m, v in _scores(heat, dataset, i).items()}
        for key, value in found.items():
            values.setdefault(key, np.full(n, np.nan))[i] = value
    return dict(sorted(values.items(), key=lambda item: item[0][0]))


def _scores(heat: Heat, dataset: SplitDataset, index: int) -> dict[str, float]:
    found: dict[str, float] = {}
    lesion: Mask | None = None
    if dataset.samples[index].target > 0:
        lesion = mask_of(dataset, index, "lesion")
    if lesion is not None and lesion.any():
        found |= {name: measure(heat, lesion) for name, measure in LESION.items()}
    lung = mask_of(dataset, index, "lung")
    if lung is not None and lung.any():
        found[LUNG] = energy(heat, lung)
    return found


def _likeness(one: Heat, other: Heat) -> float:
    """Correlate ranks (Spearman); a constant map has none."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other, axis=None).statistic)


def _row(measure: str, name: str, values: Floats, owners: Sequence[str]) -> Row:
    known = np.isfinite(values)
    kept = values[known]
    patients = [owner for owner, counts in zip(owners, known, strict=True) if counts]

    def score(weights: Floats) -> dict[str, Floats]:
        return {"mean": ratio(weights @ kept, weights.sum(axis=1))}

    found = resample(score, patients)["mean"]
    share_of = len(set(patients)) if measure == "pointing game" else 0
    interval = found.interval(share_of)
    return {
        "measure": measure,
        "map": name,
        "value": round(found.value, 10) if known.any() else None,
        "low": round(interval.low, 10) if interval else None,
        "high": round(interval.high, 10) if interval else None,
        "n": len(kept),
    }
