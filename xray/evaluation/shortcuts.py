"""Shortcut audit: metrics of a model with the lungs, or everything outside them, hidden."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from xray.evaluation.estimates import count_patients, resample_scores
from xray.runs.predictions import Predictions
from xray.stats.bootstrap import Resampled
from xray.stats.intervals import rounded

AS_IS = "as they are"
"""Name of the unchanged images."""
HIDDEN = "lungs hidden"
SHAPE = "silhouette"
COMPARED = ("auroc", "accuracy")
MIN_REMAINING = 0.25
"""Share of the AUROC above chance that must remain without the lungs to indicate a shortcut."""
MIN_DROP = 0.02
"""Smallest decrease of the AUROC with hidden corners or border that indicates a shortcut."""
_CHANCE = 0.5
EXPOSED = "The network uses something other than the lungs"
CLEARED = "No sign that the network uses anything other than the lungs"
"""First words of the sentences that `conclude` returns."""


def shortcut_rows(predictions: Mapping[str, Predictions]) -> list[dict[str, Any]]:
    """Compute the scores of each occlusion and their differences from the unchanged images.

    Args:
        predictions: Predictions of the same images by occlusion; `AS_IS` must be among them.

    Returns:
        One row per occlusion and score: "images", "measure", "value", "low", "high", "difference",
        "difference_low", "difference_high" (paired interval; both equal the difference if all
        resamples agree) and "n". Rows of hidden lungs also have "over_shape_low" and
        "over_shape_high" if the silhouette was tested: the interval of the difference from it,
        which shows what the model predicts beyond the shape that remains visible.
    """
    draws = {name: resample_scores(found, COMPARED) for name, found in predictions.items()}
    rows = []
    for name, found in draws.items():
        shares = count_patients(predictions[name])
        for measure in COMPARED:
            own = found[measure].estimate(shares[measure]).as_dict()
            row = {"images": name, "measure": measure, **own}
            if name != AS_IS:
                difference = found[measure] - draws[AS_IS][measure]
                row |= {"difference": rounded(difference.value)}
                row |= _bounds("difference", difference)
            if name == HIDDEN and SHAPE in draws:
                row |= _bounds("over_shape", found[measure] - draws[SHAPE][measure])
            rows.append(row | {"n": len(predictions[name].paths)})
    return rows


def conclude(rows: list[dict[str, Any]]) -> str:
    """State in one sentence whether the model uses something other than the lungs.

    Args:
        rows: Rows of `shortcut_rows`.
    """
    found = {row["images"]: row for row in rows if row["measure"] == "auroc"}
    if found[AS_IS]["low"] is None:
        return "The AUROC has no confidence interval, so nothing can be concluded."
    if found[AS_IS]["low"] <= _CHANCE:
        return "The AUROC is not above chance, so there is nothing to audit."
    signs = [*_signs_without_lungs(found[AS_IS], found[HIDDEN])]
    for name in ("corners hidden", "border hidden"):
        row = found[name]
        high = row["difference_high"]
        if high is not None and high < 0 and row["difference"] <= -MIN_DROP:
            signs.append(f"with the {name} the AUROC falls by {-row['difference']:.3f}")
    if signs:
        return f"{EXPOSED}: {'; '.join(signs)}."
    return f"{CLEARED}."


def _signs_without_lungs(whole: Mapping[str, Any], hidden: Mapping[str, Any]) -> Iterator[str]:
    """Report an AUROC without lungs that is high, above chance, and not due to their shape."""
    remaining = (hidden["value"] - _CHANCE) / (whole["value"] - _CHANCE)
    above_chance = hidden["low"] is not None and hidden["low"] > _CHANCE
    beyond = hidden.get("over_shape_low", 1.0)
    if above_chance and remaining >= MIN_REMAINING and beyond is not None and beyond > 0:
        yield f"without the lungs the AUROC is still {hidden['value']:.3f}"


def _bounds(name: str, difference: Resampled) -> dict[str, float | None]:
    """Return the bounds of a paired interval; the difference itself if all resamples agree."""
    found = difference.estimate()
    if np.ptp(difference.draws) == 0:
        return {f"{name}_low": found.value, f"{name}_high": found.value}
    return {f"{name}_low": found.low, f"{name}_high": found.high}
