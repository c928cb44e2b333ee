"""Remarks follow from numbers made by hand."""

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


def said(config=CONFIG, data=CLEAN, val=None, **test):
    metrics = {"val": val or GOOD, "test": GOOD | test}
    return " | ".join(f"{r.limit} {r.advice}" for r in remarks(config, data, metrics))


def test_a_sound_run_has_only_what_every_run_has():
    found = remarks(CONFIG, CLEAN, {"val": GOOD, "test": GOOD})
    assert len(found) == 2
    assert "one seed (3)" in said()
    assert "outside the lungs" in said()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auroc": {"value": 0.9, "low": 0.8, "high": 0.95}}, "from 0.800 to 0.950"),
        ({"accuracy": {"value": 0.9, "low": 0.8, "high": 0.95}}, "its accuracy may lie"),
        (
            {"val": GOOD | {"auroc": {"value": 0.99}}, "auroc": {"value": 0.9}},
            "0.990 on validation",
        ),
        ({"specificity": {"value": 0.4}}, "many false alarms, few misses"),
        ({"recall": {"value": 0.4}}, "many misses, few false alarms"),
        ({"ece": {"value": 0.2}}, "off by 0.200"),
        (
            {"ece": {"value": 0.2}, "calibration": {"ece": {"before": 0.2, "after": 0.1}}},
            "temperature brings it to 0.100",
        ),
        ({"per_label": {"covid": {"n": 7, "recall": 1.0}}}, "covid (7)"),
        ({"data": {"audit": {"verdict": "leaks found", "remaining": 4}}}, "4 overlaps"),
        (
            {"data": {"audit": {"verdict": "unknown patients", "unknown_patients": 9}}},
            "of 9 images",
        ),
        ({"data": {"audit": {"verdict": "not audited"}}}, "Nobody looked"),
        ({"config": {"model": {"weights": "random"}}}, "random weights"),
        ({"config": {"data": {"_target_": "x.PhantomDataModule"}}}, "drawings, not patients"),
    ],
)
def test_each_number_has_its_remark(changes, words):
    assert words in said(**changes)
    assert words not in said()


def test_a_threshold_that_was_chosen_is_not_advised_again():
    points = [{"rule": "0.5", "threshold": 0.5}, {"rule": "sens@0.95", "threshold": 0.23}]
    found = said(threshold=0.23, specificity={"value": 0.4}, operating_points=points)
    assert "sens@0.95 chose it on validation, whose images differ" in found
    assert "Choose the operating point" not in found


def test_what_may_be_chance_is_not_called_miscalibrated():
    assert "off by" not in said(ece={"value": 0.07, "low": 0.0, "high": 0.1})
    assert "off by 0.070" in said(ece={"value": 0.07, "low": 0.01, "high": 0.1})


EXPOSING = {"note": f"{EXPOSED}: with the corners hidden it falls by 0.2. Hidden: filled."}


def scored(measure, low, control):
    rows = [
        {"measure": measure, "map": "map", "value": 0.3, "low": low, "high": 0.4},
        {"measure": measure, "map": "centre prior", "value": 0.05},
        {"measure": measure, "map": "randomised weights", "value": control},
    ]
    return {"note": "x", "rows": rows}


@pytest.mark.parametrize("measure", ["energy in the lesion", ROAD])
def test_maps_that_beat_no_control_and_shortcuts_are_told(measure):
    def told(*measured):
        found = remarks(CONFIG, CLEAN, {"val": GOOD, "test": GOOD}, measured)
        return " | ".join(r.limit for r in found)

    assert "with the corners hidden it falls by 0.2." in told(EXPOSING)
    assert "Hidden:" not in told(EXPOSING)
    assert told({"note": f"{CLEARED}. Hidden: filled."}) == told()
    assert told(scored(measure, 0.25, 0.2)) == told()
    assert "0.300, and 0.260 of a control (randomised weights)" in told(scored(measure, 0.25, 0.26))
    assert told(scored("another", 0.25, 0.26)) == told()


def test_the_measures_are_those_of_a_scorecard():
    assert set(limitations._TELLING) <= {*IN_LESION, ROAD}


def test_an_untested_run_is_said_to_be():
    assert "Nothing was tested" in remarks(CONFIG, CLEAN, {"val": GOOD})[0].limit
    assert remarks({}, {"audit": "not audited"}, {})


def test_three_classes_have_no_threshold():
    assert "false alarms" not in said(threshold=None, specificity={"value": 0.4})
