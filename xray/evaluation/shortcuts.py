"""What a network can still tell where the lungs, or everything else, are hidden."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from xray.evaluation.estimates import entry, plain
from xray.evaluation.scored import resampled, shares_of
from xray.runs.predictions import Predictions
from xray.stats.bootstrap import Resampled

AS_IS = "as they are"
HIDDEN = "lungs hidden"
SHAPE = "silhouette"
COMPARED = ("auroc", "accuracy")
KEPT = 0.25
"""Of the AUROC above chance; so much left without the lungs does not come from them."""
DROP = 0.02
"""A smaller loss of AUROC is not spoken of."""
_CHANCE = 0.5
EXPOSED = "The network uses something other than the lungs"
CLEARED = "No sign that the network uses anything other than the lungs"
"""How `conclude` begins."""


def shortcut_rows(predictions: Mapping[str, Predictions]) -> list[dict[str, Any]]:
    """Score each occlusion, and its difference to the images as they are.

    Args:
        predictions: By occlusion, of the same images; `AS_IS` among them.

    Returns:
        A row an occlusion and a score: "images", "measure", "value", "low", "high", "difference",
        "difference_low", "difference_high" (paired: the same patients are drawn; both are the
        difference itself where all draws agree), "n". Of hidden
        lungs "over_shape_low" and "over_shape_high" too, of the difference to their silhouette,
        where there is one: what is known beyond the shape that hiding leaves.
    """
    draws = {name: resampled(found, COMPARED) for name, found in predictions.items()}
    rows = []
    for name, found in draws.items():
        shares = shares_of(predictions[name])
        for measure in COMPARED:
            own = entry(found[measure].value, found[measure].interval(shares[measure]))
            row = {"images": name, "measure": measure, **own}
            if name != AS_IS:
                difference = found[measure] - draws[AS_IS][measure]
                row |= {"difference": plain(difference.value)}
                row |= _ends("difference", difference)
            if name == HIDDEN and SHAPE in draws:
                row |= _ends("over_shape", found[measure] - draws[SHAPE][measure])
            rows.append(row | {"n": len(predictions[name].paths)})
    return rows


def conclude(rows: list[dict[str, Any]]) -> str:
    """Say in a sentence whether the network uses something other than the lungs."""
    found = {row["images"]: row for row in rows if row["measure"] == "auroc"}
    if found[AS_IS]["low"] is None:
        return "These images do not tell whether the network tells the classes apart."
    if found[AS_IS]["low"] <= _CHANCE:
        return "The network does not tell the classes apart: there is nothing to audit."
    signs = [*_without_lungs(found[AS_IS], found[HIDDEN])]
    for name in ("corners hidden", "border hidden"):
        row = found[name]
        high = row["difference_high"]
        if high is not None and high < 0 and row["difference"] <= -DROP:
            signs.append(f"with the {name} it falls by {-row['difference']:.3f}")
    if signs:
        return f"{EXPOSED}: {'; '.join(signs)}."
    return f"{CLEARED}."


def _without_lungs(whole: Mapping[str, Any], hidden: Mapping[str, Any]) -> Iterator[str]:
    """Tell what is left without the lungs, where it is much, no chance, and not their shape's."""
    kept = (hidden["value"] - _CHANCE) / (whole["value"] - _CHANCE)
    sure = hidden["low"] is not None and hidden["low"] > _CHANCE
    beyond = hidden.get("over_shape_low", 1.0)
    if sure and kept >= KEPT and beyond is not None and beyond > 0:
        yield f"without the lungs the AUROC is still {hidden['value']:.3f}"


def _ends(name: str, difference: Resampled) -> dict[str, float | None]:
    """Give the ends of a paired interval: both the difference itself, where all draws agree."""
    found = entry(difference.value, difference.interval())
    constant = np.ptp(difference.draws) == 0
    ends = {end: found["value"] if constant else found[end] for end in ("low", "high")}
    return {f"{name}_{end}": value for end, value in ends.items()}
