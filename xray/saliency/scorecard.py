"""Scorecard: scores of saliency maps and of their baselines, one row for each measure and map.

Localization is scored against the masks next to the images: lesion masks for images of every class
but the first, lung masks for all images.
"""

import random
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from xray.data.dataset import SplitDataset
from xray.errors import DataError
from xray.saliency.baselines import MAP, MAPS, MapOptions, MapSet, compute_maps
from xray.saliency.faithfulness import DELETION, INSERTION, ROAD, Measured, measure_faithfulness
from xray.saliency.gradcam import Explainable
from xray.saliency.localization import Heat, best_iou, energy, iou, pointing
from xray.saliency.masks import mask_of
from xray.saliency.overlay import Mask
from xray.saliency.parts import whole_model
from xray.stats.bootstrap import estimate
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
LIKENESS = "rank correlation with randomized weights"
PEAK = "maximum before rescaling, in thousandths"
NOTE = (
    "Values are means over images with 95 % confidence intervals (bootstrap over patients). All "
    "maps explain the predicted class. Baselines: a Gaussian at the center of the image (center "
    "prior), the mean map of the other images of the class, and the map of the same network with "
    "random weights in its trained layers (randomized weights). A map that scores no better than "
    "its baselines, or hardly changes with randomized weights, is not evidence of what the network "
    "has learned."
)
NO_MASKS = "No lesion or lung masks were found next to the images, so localization was not scored."
Row = dict[str, Any]
Values = Mapping[tuple[str, str, str], Floats]
"""(group, measure, map) -> (N,), NaN if an image has no such value."""


@dataclass(frozen=True)
class FaithfulnessPlan:
    """Number of images on which ROAD, deletion and insertion, which need no masks, are measured.

    Attributes:
        n: Maximum number of images; 0: none.
        with_masks: Whether they are also measured if the images have masks.
        seconds: Time limit in seconds; ROAD of one image is always measured. None: no limit.
        skipped: Reason why they are skipped, as a sentence; empty if they are measured.
    """

    n: int
    with_masks: bool = False
    seconds: float | None = None
    skipped: str = ""


@dataclass(frozen=True)
class Scorecard:
    """Scores of saliency maps.

    Attributes:
        rows: One row for each measure and map: "group", "measure", "map", "value" (mean over
            images), "low" and "high" (95 % interval, None if undefined), "n" (number of images).
        note: Explanation of the values.
        skipped: What was not measured, and the command that measures it; empty if nothing.
    """

    rows: list[Row]
    note: str
    skipped: str = ""


def score_maps(
    model: Explainable,
    randomized: Explainable,
    dataset: SplitDataset,
    indices: Sequence[int],
    options: MapOptions,
    *,
    seed: int,
    faithfulness: FaithfulnessPlan,
    run: Path | None = None,
) -> Scorecard:
    """Score saliency maps and their baselines; all of them explain the predicted class.

    Args:
        model: The classifier.
        randomized: The same network with randomized weights.
        dataset: The split.
        indices: Indices of the images in the split.
        options: How the maps are computed.
        seed: Seed of the selection of images for faithfulness, and of its random draws.
        faithfulness: Number of images for ROAD, deletion and insertion, and their time limit.
        run: The run directory, which the note names in a command.

    Raises:
        DataError: `indices` is empty.
    """
    if not indices:
        raise DataError("scorecard=true: the split has no images. Choose another one: split=test.")
    with compute_maps(model, randomized, dataset, indices, options) as maps:
        values, skipped = _localize(maps, dataset, indices), ""
        masked = any(group in {LESION, LUNG} for group, _, _ in values)
        if faithfulness.n and (faithfulness.with_masks or not masked):
            found = _measure(
                faithfulness, model, dataset, indices, maps, options=options, seed=seed
            )
            skipped = _skipped(faithfulness, found, len(maps), run)
            values |= {(FAITHFULNESS, *key): value for key, value in found.items()}
    note = NOTE if masked else f"{NOTE} {NO_MASKS}"
    return Scorecard(_rows(values, dataset, indices), f"{note} {skipped}".strip(), skipped)


def _measure(
    plan: FaithfulnessPlan,
    model: Explainable,
    dataset: SplitDataset,
    indices: Sequence[int],
    maps: MapSet,
    *,
    options: MapOptions,
    seed: int,
) -> Measured:
    """Measure faithfulness on the images of the plan; none if it is skipped."""
    return measure_faithfulness(
        whole_model(model),
        dataset,
        indices,
        maps,
        [] if plan.skipped else pick(len(maps), plan.n, seed),
        device=options.device,
        seed=seed,
        deadline=None if plan.seconds is None else time.monotonic() + plan.seconds,
        bar=options.bar,
    )


def pick(total: int, n: int, seed: int) -> list[int]:
    """Pick n of `total` images at random, in ascending order; all of them if there are fewer."""
    return sorted(random.Random(seed).sample(range(total), min(n, total)))


def scorecard_title(method: str, split: str, n: int, total: int) -> str:
    """Return the title of a scorecard of n of the `total` images of a split."""
    which = "" if n == total else f", {n:,} of {total:,} images"
    return f"Scorecard of {method}, {split}{which}"


def _skipped(
    plan: FaithfulnessPlan,
    found: Mapping[tuple[str, str], Floats],
    total: int,
    run: Path | None,
) -> str:
    """Describe what was not measured and how to measure it; empty if all was measured."""
    wanted = min(plan.n, total)
    done = {
        measure: int(np.isfinite(found.get((measure, MAP), np.array([]))).sum())
        for measure in (ROAD, DELETION, INSERTION)
    }
    if min(done.values()) == wanted:
        return ""
    reason = plan.skipped or (
        f"Faithfulness was measured for {plan.seconds:.0f} s only (callbacks.gradcam.budget), on "
        f"{done[ROAD]} (ROAD), {done[DELETION]} (deletion) and {done[INSERTION]} (insertion) of "
        f"{wanted} images."
    )
    where = [] if run is None else [f"run={run}"]
    command = shlex.join(
        ["python", "-m", "xray.gradcam", *where, "scorecard=true", "faithfulness=true"]
    )
    return f"{reason} To measure faithfulness without a time limit: {command}"


def _localize(maps: MapSet, dataset: SplitDataset, indices: Sequence[int]) -> dict[Any, Floats]:
    """Compute localization, and the comparison with randomized weights; (N,) for each key."""
    n = len(indices)
    values = {(WEIGHTS, PEAK, name): 1000 * peaks for name, peaks in maps.peaks.items()}
    for i, index in enumerate(indices):
        found = {(WEIGHTS, LIKENESS, MAP): _likeness(maps.maps[i], maps.randomized[i])}
        masks = _masks(dataset, index)
        for name, heat in maps.with_baselines(i).items() if masks else ():
            found |= {(*key, name): value for key, value in _scores(heat, masks).items()}
        for key, value in found.items():
            values.setdefault(key, np.full(n, np.nan))[i] = value
    return values


def _masks(dataset: SplitDataset, index: int) -> dict[str, Mask]:
    """Read the non-empty masks of an image; no lesion mask for the first class."""
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
    """Compute the rank correlation (Spearman); NaN if a map is constant."""
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

    shares = {"mean": len(set(patients))} if measure == "pointing game" else {}
    found = estimate(score, patients, shares)["mean"]
    return {"group": group, "measure": measure, "map": name, **found.as_dict(), "n": len(kept)}
