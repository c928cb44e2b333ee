"""What a network can still tell where the lungs, or everything else, are hidden."""

from collections.abc import Mapping
from typing import Any

from xray.results.estimate import entry
from xray.results.predictions import Predictions
from xray.results.scored import resampled, shares_of

AS_IS = "as they are"
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
        "difference_low", "difference_high" (paired: the same patients are drawn), "n".
    """
    draws = {name: resampled(found, COMPARED) for name, found in predictions.items()}
    rows = []
    for name, found in draws.items():
        shares = shares_of(predictions[name])
        for measure in COMPARED:
            difference = found[measure] - draws[AS_IS][measure]
            own = entry(found[measure].value, found[measure].interval(shares[measure]))
            paired = entry(difference.value, difference.interval())
            row = {"images": name, "measure": measure, **own}
            if name != AS_IS:
                row |= {f"difference{_end(key)}": value for key, value in paired.items()}
            rows.append(row | {"n": len(predictions[name].paths)})
    return rows


def conclude(rows: list[dict[str, Any]]) -> str:
    """Say in a sentence whether the network uses something other than the lungs."""
    found = {row["images"]: row for row in rows if row["measure"] == "auroc"}
    whole, without = found[AS_IS], found["lungs hidden"]
    if whole["low"] is None or whole["low"] <= _CHANCE:
        return "The network does not tell the classes apart: there is nothing to audit."
    signs = []
    kept = (without["value"] - _CHANCE) / (whole["value"] - _CHANCE)
    if without["low"] is not None and without["low"] > _CHANCE and kept >= KEPT:
        signs.append(f"without the lungs the AUROC is still {without['value']:.3f}")
    for name in ("corners hidden", "border hidden"):
        row = found[name]
        high = row["difference_high"]
        if high is not None and high < 0 and row["difference"] <= -DROP:
            signs.append(f"with the {name} it falls by {-row['difference']:.3f}")
    if signs:
        return f"{EXPOSED}: {'; '.join(signs)}."
    return f"{CLEARED}."


def _end(key: str) -> str:
    return "" if key == "value" else f"_{key}"
