"""Conclusions of the shortcut audit on predictions with known scores."""

from dataclasses import replace

import numpy as np
import pytest
from made_runs import made

from xray.evaluation.shortcuts import AS_IS, CLEARED, EXPOSED, conclude, shortcut_rows

NAMES = ("border hidden", "corners hidden", "center only", "lungs only", "lungs hidden")
SHARP = made(200, sharpness=1.0)
BLIND = replace(SHARP, probabilities=np.full((200, 2), 0.5))


def rows(**changed):
    found = {AS_IS: SHARP, **dict.fromkeys(NAMES, SHARP), "lungs hidden": BLIND}
    return shortcut_rows(found | {name.replace("_", " "): p for name, p in changed.items()})


def test_differences_are_paired():
    found = {(row["images"], row["measure"]): row for row in rows()}
    same = found["border hidden", "auroc"]
    assert same["difference"] == 0
    without = found["lungs hidden", "auroc"]
    assert without["value"] == 0.5
    assert without["difference"] == pytest.approx(0.5 - found[AS_IS, "auroc"]["value"])
    assert without["difference_high"] < 0
    assert "difference" not in found[AS_IS, "auroc"]
    assert {row["n"] for row in found.values()} == {200}


def test_a_model_that_needs_the_lungs_is_cleared():
    assert conclude(rows()).startswith("No sign")


def test_a_model_that_does_not_need_the_lungs_is_exposed():
    assert "without the lungs the AUROC is still" in conclude(rows(lungs_hidden=SHARP))


@pytest.mark.parametrize(("informative", "exposed"), [(20, False), (50, True)])
def test_a_quarter_of_the_auroc_above_chance_is_a_sign(informative, exposed):
    # Without the lungs, only the first patients have informative predictions.
    probabilities = np.where(np.arange(200)[:, None] < informative, SHARP.probabilities, 0.5)
    found = rows(lungs_hidden=replace(SHARP, probabilities=probabilities))
    score = {row["images"]: row["value"] for row in found if row["measure"] == "auroc"}
    remaining = (score["lungs hidden"] - 0.5) / (score[AS_IS] - 0.5)
    assert remaining == pytest.approx(0.177 if informative == 20 else 0.454, abs=1e-3)
    assert conclude(found).startswith(EXPOSED if exposed else CLEARED)


def test_the_shape_of_the_lungs_is_not_a_shortcut():
    found = rows(lungs_hidden=SHARP, silhouette=SHARP)
    hidden = next(row for row in found if row["images"] == "lungs hidden")
    assert hidden["over_shape_low"] == hidden["over_shape_high"] == 0
    assert conclude(found).startswith(CLEARED)
    found = rows(lungs_hidden=SHARP, silhouette=BLIND)
    hidden = next(row for row in found if row["images"] == "lungs hidden")
    assert hidden["over_shape_low"] == pytest.approx(hidden["low"] - 0.5, abs=0.01)
    assert conclude(found).startswith(EXPOSED)


def test_one_patient_allows_no_conclusion():
    one = replace(SHARP, patients=["p"] * 200)
    found = {AS_IS: one, **dict.fromkeys(NAMES, one)}
    assert conclude(shortcut_rows(found)).startswith("The AUROC has no confidence interval")


def test_a_model_that_needs_a_corner_is_exposed():
    conclusion = conclude(rows(corners_hidden=BLIND))
    assert "with the corners hidden the AUROC falls by" in conclusion
    assert "border" not in conclusion


def test_a_model_at_chance_is_not_audited():
    found = {AS_IS: BLIND, **dict.fromkeys(NAMES, BLIND)}
    assert "nothing to audit" in conclude(shortcut_rows(found))


PERFECT = replace(SHARP, probabilities=np.eye(2)[SHARP.targets])


def test_a_perfect_model_is_audited():
    found = {AS_IS: PERFECT, **dict.fromkeys(NAMES, PERFECT)}
    conclusion = conclude(shortcut_rows(found | {"lungs hidden": BLIND}))
    assert conclusion.startswith("No sign")
    # All resamples agree, and the model is still exposed.
    for others in ({}, {"silhouette": BLIND}):
        conclusion = conclude(shortcut_rows(found | others))
        assert "without the lungs the AUROC is still 1.000" in conclusion
    conclusion = conclude(shortcut_rows(found | {"lungs hidden": BLIND, "corners hidden": BLIND}))
    assert conclusion == f"{EXPOSED}: with the corners hidden the AUROC falls by 0.500."
