"""What is concluded of occlusions, on predictions made up by hand."""

from dataclasses import replace

import numpy as np
import pytest
from made_runs import made

from xray.evaluation.shortcuts import AS_IS, CLEARED, EXPOSED, conclude, shortcut_rows

NAMES = ("border hidden", "corners hidden", "centre only", "lungs only", "lungs hidden")
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


def test_who_needs_the_lungs_is_cleared():
    assert conclude(rows()).startswith("No sign")


def test_who_does_without_the_lungs_is_not():
    assert "without the lungs the AUROC is still" in conclude(rows(lungs_hidden=SHARP))


@pytest.mark.parametrize(("known", "exposed"), [(20, False), (50, True)])
def test_a_quarter_of_what_is_known_is_not_little(known, exposed):
    # Without the lungs, something is known of the first patients alone.
    probabilities = np.where(np.arange(200)[:, None] < known, SHARP.probabilities, 0.5)
    found = rows(lungs_hidden=replace(SHARP, probabilities=probabilities))
    score = {row["images"]: row["value"] for row in found if row["measure"] == "auroc"}
    kept = (score["lungs hidden"] - 0.5) / (score[AS_IS] - 0.5)
    assert kept == pytest.approx(0.177 if known == 20 else 0.454, abs=1e-3)
    assert conclude(found).startswith(EXPOSED if exposed else CLEARED)


def test_what_the_shape_of_the_lungs_tells_is_not_held_against_the_network():
    found = rows(lungs_hidden=SHARP, silhouette=SHARP)
    hidden = next(row for row in found if row["images"] == "lungs hidden")
    assert hidden["over_shape_low"] == hidden["over_shape_high"] == 0
    assert conclude(found).startswith(CLEARED)
    found = rows(lungs_hidden=SHARP, silhouette=BLIND)
    hidden = next(row for row in found if row["images"] == "lungs hidden")
    assert hidden["over_shape_low"] == pytest.approx(hidden["low"] - 0.5, abs=0.01)
    assert conclude(found).startswith(EXPOSED)


def test_one_patient_tells_nothing():
    one = replace(SHARP, patients=["p"] * 200)
    found = {AS_IS: one, **dict.fromkeys(NAMES, one)}
    assert conclude(shortcut_rows(found)).startswith("These images do not tell whether")


def test_who_needs_a_corner_is_not():
    said = conclude(rows(corners_hidden=BLIND))
    assert "with the corners hidden it falls by" in said
    assert "border" not in said


def test_who_knows_nothing_has_nothing_to_hide():
    found = {AS_IS: BLIND, **dict.fromkeys(NAMES, BLIND)}
    assert "nothing to audit" in conclude(shortcut_rows(found))


PERFECT = replace(SHARP, probabilities=np.eye(2)[SHARP.targets])


def test_who_is_never_wrong_is_audited_too():
    found = {AS_IS: PERFECT, **dict.fromkeys(NAMES, PERFECT)}
    said = conclude(shortcut_rows(found | {"lungs hidden": BLIND}))
    assert said.startswith("No sign")
    # Never wrong without the lungs: nothing could be plainer, though no draw differs from another.
    for others in ({}, {"silhouette": BLIND}):
        said = conclude(shortcut_rows(found | others))
        assert "without the lungs the AUROC is still 1.000" in said
    said = conclude(shortcut_rows(found | {"lungs hidden": BLIND, "corners hidden": BLIND}))
    assert said == f"{EXPOSED}: with the corners hidden it falls by 0.500."
