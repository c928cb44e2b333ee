"""Limitations follow from hand-computed numbers."""

import pytest

from xray.evaluation.shortcuts import CLEARED, EXPOSED
from xray.reporting import limitations
from xray.reporting.limitations import remarks
from xray.saliency.faithfulness import ROAD
from xray.saliency.scorecard import IN_LESION

GOOD = {
    "n": 2000,
    "patients": 1900,
    "threshold": 0.5,
    "auroc": {"value": 0.95, "low": 0.93, "high": 0.97},
    "accuracy": {"value": 0.90, "low": 0.88, "high": 0.92},
    "recall": {"value": 0.90},
    "specificity": {"value": 0.88},
    "ece": {"value": 0.02},
    "per_label": {"covid": {"n": 800, "recall": 0.9}},
}
CONFIG = {"seed": 3, "model": {"weights": "imagenet"}, "data": {"_target_": "x.XrayDataModule"}}
CLEAN = {"audit": {"verdict": "clean"}}


def limits(config=CONFIG, data=CLEAN, val=None, **test):
    metrics = {"val": val or GOOD, "test": GOOD | test}
    return " | ".join(f"{r.limit} {r.advice}" for r in remarks(config, data, metrics))


def test_run_without_objections_has_only_general_limitations():
    found = remarks(CONFIG, CLEAN, {"val": GOOD, "test": GOOD})
    assert len(found) == 2
    assert "one seed (3)" in limits()
    assert "outside the lungs" in limits()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auroc": {"value": 0.9, "low": 0.8, "high": 0.95}}, "AUROC is 0.800 to 0.950"),
        ({"accuracy": {"value": 0.9, "low": 0.8, "high": 0.95}}, "Accuracy is 0.800 to 0.950"),
        (
            {"val": GOOD | {"auroc": {"value": 0.99}}, "auroc": {"value": 0.9}},
            "0.990 on validation",
        ),
        ({"specificity": {"value": 0.4}}, "many false positives"),
        ({"recall": {"value": 0.4}}, "many false negatives"),
        ({"ece": {"value": 0.2}}, "by 0.200 on average"),
        (
            {"ece": {"value": 0.2}, "calibration": {"ece": {"before": 0.2, "after": 0.1}}},
            "Temperature scaling reduces the ECE to 0.100",
        ),
        ({"per_label": {"covid": {"n": 7, "recall": 1.0}}}, "covid (7)"),
        ({"data": {"audit": {"verdict": "leaks found", "remaining": 4}}}, "4 overlaps"),
        (
            {"data": {"audit": {"verdict": "unknown patients", "unknown_patients": 9}}},
            "9 images have no patient ID",
        ),
        ({"data": {"audit": {"verdict": "not audited"}}}, "not audited for shared patients"),
        ({"config": {"model": {"weights": "random"}}}, "random weights"),
        ({"config": {"data": {"_target_": "x.PhantomDataModule"}}}, "drawn phantoms"),
    ],
)
def test_each_rule_has_its_limitation(changes, words):
    assert words in limits(**changes)
    assert words not in limits()


def test_rule_in_use_is_not_suggested_again():
    points = [{"rule": "0.5", "threshold": 0.5}, {"rule": "sens@0.95", "threshold": 0.23}]
    found = limits(threshold=0.23, specificity={"value": 0.4}, operating_points=points)
    assert "The rule sens@0.95 chose this threshold" in found
    assert "Choose the threshold" not in found


def test_ece_within_chance_is_not_reported():
    assert "miscalibrated" not in limits(ece={"value": 0.07, "low": 0.0, "high": 0.1})
    assert "by 0.070 on average" in limits(ece={"value": 0.07, "low": 0.01, "high": 0.1})


EXPOSING = {"note": f"{EXPOSED}: with the corners hidden the AUROC falls by 0.2. Hidden: filled."}


def scored(measure, low, control):
    rows = [
        {"measure": measure, "map": "map", "value": 0.3, "low": low, "high": 0.4},
        {"measure": measure, "map": "centre prior", "value": 0.05},
        {"measure": measure, "map": "randomised weights", "value": control},
    ]
    return {"note": "x", "rows": rows}


@pytest.mark.parametrize("measure", ["energy in the lesion", ROAD])
def test_heatmaps_no_better_than_a_baseline_and_shortcuts_are_reported(measure):
    def limits(*measured):
        found = remarks(CONFIG, CLEAN, {"val": GOOD, "test": GOOD}, measured)
        return " | ".join(r.limit for r in found)

    assert "with the corners hidden the AUROC falls by 0.2." in limits(EXPOSING)
    assert "Hidden:" not in limits(EXPOSING)
    assert limits({"note": f"{CLEARED}. Hidden: filled."}) == limits()
    assert limits(scored(measure, 0.25, 0.2)) == limits()
    assert "baseline (randomized weights)" in limits(scored(measure, 0.25, 0.26))
    assert limits(scored("another", 0.25, 0.26)) == limits()


def test_measures_are_those_of_a_scorecard():
    assert {ROAD, "energy in the lesion"} <= set(limitations._BASELINE_MEASURES)
    assert "energy in the lesion" in IN_LESION


def test_untested_run_is_reported():
    assert "was not tested" in remarks(CONFIG, CLEAN, {"val": GOOD})[0].limit
    assert remarks({}, {"audit": "not audited"}, {})


def test_three_classes_have_no_threshold():
    assert "false positives" not in limits(threshold=None, specificity={"value": 0.4})
