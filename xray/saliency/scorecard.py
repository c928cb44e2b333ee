"""Whether maps find what they should, beside maps that know less; a row a measure and a map."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from xray.data.dataset import SplitDataset
from xray.errors import DataError
from xray.saliency.baselines import MAP, MAPS, Drawn, draw_maps
from xray.saliency.faithfulness import measure_faithfulness
from xray.saliency.gradcam import Explainable
from xray.saliency.localization import Heat, best_iou, energy, iou, pointing
from xray.saliency.masks import mask_of
from xray.saliency.overlay import Mask
from xray.stats.bootstrap import resample
from xray.stats.rule import EVEN
from xray.stats.scores import Floats, ratio

LESION, LUNG, WEIGHTS, FAITHFULNESS = "lesion", "lung", "weights", "faithfulness"
"""Groups of measures."""
IN_LESION = {
    "pointing game": pointing,
    "energy in the lesion": energy,
    "IoU at half the maximum": iou,
    "IoU at the best level": best_iou,
}
IN_LUNGS = "energy in the lungs"
LIKENESS = "rank correlation with randomised weights"
PEAK = "greatest value before rescaling, in thousandths"
NOTE = (
    "Mean over images; 95 % intervals by a bootstrap over patients. Of the class called. "
    "Randomised weights: what was trained is drawn anew, what was frozen stays. A map that is no "
    "better than its controls, or keeps its ranks on randomised weights, explains nothing."
)
NO_MASKS = (
    "There are no masks beside the images. Whether the answer hangs on what the maps show is "
    "measured on any number by python -m xray.gradcam scorecard=true, half a minute each."
)
Options = dict[str, Any]
Row = dict[str, Any]
Values = Mapping[tuple[str, str, str], Floats]
"""(group, measure, map) -> (N,), NaN where an image has no such measure."""


def score_maps(
    model: Explainable,
    randomised: Explainable,
    dataset: SplitDataset,
    indices: Sequence[int],
    *,
    method: str,
    device: torch.device | str = "cpu",
    threshold: float = EVEN,
    bar: bool = True,
) -> list[Row]:
    """Score maps, and three controls, against the masks beside the images.

    Lesions are looked at on images of every class but the first that have any; lungs on all that
    have a lung mask. The class explained is the one the network calls, for all maps.

    Args:
        model: The classifier, on `device`.
        randomised: The same network with other weights, on `device`.
        dataset: The split.
        indices: Which of its images.
        method: A key of `gradcam.METHODS`.
        device: Where the models lie.
        threshold: With two classes, above which probability the second is called.
        bar: Whether a progress bar is shown.

    Returns:
        A row a measure and a map: "group", "measure", "map", "value" (the mean over images), "low"
        and "high" (95 %, bootstrap over patients; None where there can be none), "n".

    Raises:
        DataError: There is no image.
    """
    _some(indices)
    options: Options = {"method": method, "device": device, "threshold": threshold, "bar": bar}
    with draw_maps(model, randomised, dataset, indices, **options) as drawn:
        return _rows(_measured(drawn, dataset, indices), dataset, indices)


def score_faithfulness(
    model: Explainable,
    randomised: Explainable,
    dataset: SplitDataset,
    indices: Sequence[int],
    *,
    method: str,
    seed: int,
    device: torch.device | str = "cpu",
    threshold: float = EVEN,
    bar: bool = True,
) -> list[Row]:
    """Score maps, and three controls, by what becomes of the answer: no masks are needed.

    It costs over a hundred passes an image.

    Args:
        model: As for `score_maps`, as are the others.
        randomised: Likewise.
        dataset: Likewise.
        indices: Likewise.
        method: Likewise.
        seed: Of what `measure_faithfulness` draws.
        device: Likewise.
        threshold: Likewise.
        bar: Likewise.

    Returns:
        Rows as of `score_maps`.

    Raises:
        DataError: There is no image.
    """
    _some(indices)
    options: Options = {"method": method, "device": device, "threshold": threshold, "bar": bar}
    with draw_maps(model, randomised, dataset, indices, **options) as drawn:
        found = measure_faithfulness(
            model, dataset, indices, drawn, device=device, seed=seed, bar=bar
        )
    return _rows({(FAITHFULNESS, *key): v for key, v in found.items()}, dataset, indices)


def without_masks(rows: Sequence[Row]) -> bool:
    """Tell whether `score_maps` met no mask."""
    return not any(row["group"] in {LESION, LUNG} for row in rows)


def pick(total: int, n: int, seed: int) -> list[int]:
    """Pick n of `total` images at random, in order; all where there are no more."""
    return sorted(random.Random(seed).sample(range(total), min(n, total)))


def titled(method: str, split: str, n: int, total: int) -> str:
    """Head a scorecard."""
    which = "" if n == total else f", {n:,} of {total:,} images"
    return f"Scorecard of {method}, {split}{which}"


def _some(indices: Sequence[int]) -> None:
    if not indices:
        raise DataError("scorecard=true: the split has no image. Choose another: split=test.")


def _measured(drawn: Drawn, dataset: SplitDataset, indices: Sequence[int]) -> Values:
    n = len(indices)
    values = {(WEIGHTS, PEAK, name): 1000 * peaks for name, peaks in drawn.peaks.items()}
    for i, index in enumerate(indices):
        likeness = _likeness(drawn.maps[i], drawn.others[i])
        found = {(WEIGHTS, LIKENESS, MAP): likeness}
        masks = _masks(dataset, index)
        for name, heat in drawn.compared(i).items() if masks else ():
            found |= {(*key, name): value for key, value in _scores(heat, masks).items()}
        for key, value in found.items():
            values.setdefault(key, np.full(n, np.nan))[i] = value
    return values


def _masks(dataset: SplitDataset, index: int) -> dict[str, Mask]:
    found = {LUNG: mask_of(dataset, index, "lung")}
    if dataset.samples[index].target > 0:
        found[LESION] = mask_of(dataset, index, "lesion")
    return {group: mask for group, mask in found.items() if mask is not None and mask.any()}


def _scores(heat: Heat, masks: Mapping[str, Mask]) -> dict[tuple[str, str], float]:
    found = {}
    if LESION in masks:
        found = {(LESION, m): measure(heat, masks[LESION]) for m, measure in IN_LESION.items()}
    if LUNG in masks:
        found[LUNG, IN_LUNGS] = energy(heat, masks[LUNG])
    return found


def _likeness(one: Heat, other: Heat) -> float:
    """Correlate ranks (Spearman); a constant map has none."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other, axis=None).statistic)


def _rows(values: Values, dataset: SplitDataset, indices: Sequence[int]) -> list[Row]:
    owners = [dataset.samples[i].owner for i in indices]
    order = (LESION, LUNG, FAITHFULNESS, WEIGHTS)
    keys = sorted(values, key=lambda key: (order.index(key[0]), key[1], MAPS.index(key[2])))
    return [_row(key, values[key], owners) for key in keys]


def _row(key: tuple[str, str, str], values: Floats, owners: Sequence[str]) -> Row:
    group, measure, name = key
    known = np.isfinite(values)
    kept = values[known]
    patients = [owner for owner, counts in zip(owners, known, strict=True) if counts]

    def score(weights: Floats) -> dict[str, Floats]:
        return {"mean": ratio(weights @ kept, weights.sum(axis=1))}

    found = resample(score, patients)["mean"]
    share_of = len(set(patients)) if measure == "pointing game" else 0
    interval = found.interval(share_of)
    return {
        "group": group,
        "measure": measure,
        "map": name,
        "value": round(found.value, 10) if known.any() else None,
        "low": round(interval.low, 10) if interval else None,
        "high": round(interval.high, 10) if interval else None,
        "n": len(kept),
    }
