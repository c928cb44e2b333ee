import json
from dataclasses import replace

import numpy as np
import pytest
from made_runs import made

from xray.errors import ConfigError, RunError
from xray.evaluation.thresholds import (
    calibration,
    check_rule,
    correct_prior_shift,
    decide,
    operating_points,
)
from xray.runs.predictions import Predictions
from xray.stats.calibration import reweight
from xray.stats.rule import HEADLINE, REPORTED, parse_rule


def one_class() -> Predictions:
    whole = made(50)
    return replace(whole, targets=np.ones(50, dtype=np.int64))


def test_thresholds_depend_on_validation_images_only():
    val, test = made(300, seed=1), made(400, seed=2)
    points = operating_points(test, REPORTED, val)
    assert [point["rule"] for point in points] == ["0.5", "youden", "sens@0.95", "spec@0.90"]
    # Other test images give other results at the same thresholds.
    other = operating_points(made(400, seed=3), REPORTED, val)
    assert [p["threshold"] for p in other] == [p["threshold"] for p in points]
    assert other[1]["sensitivity"] != points[1]["sensitivity"]
    for point in points:
        predicted = test.probabilities[:, 1] > point["threshold"]
        truth = test.targets == 1
        assert point["sensitivity"]["value"] == pytest.approx(predicted[truth].mean())
        assert point["specificity"]["value"] == pytest.approx((~predicted)[~truth].mean())
        assert point["ppv"]["low"] < point["ppv"]["value"] < point["ppv"]["high"]
    rare = points[0]["at_prevalence"][0]
    assert rare["prevalence"] == 0.01
    assert rare["ppv"]["high"] < points[0]["ppv"]["low"]
    assert json.loads(json.dumps(points, allow_nan=False)) == points


def test_validation_images_of_one_class_determine_no_threshold():
    points = operating_points(made(60), REPORTED, one_class())
    assert points[1] == {"rule": "youden", "threshold": None}
    assert points[0]["threshold"] == 0.5
    assert "sensitivity" in points[0]


def test_several_classes_have_no_operating_points():
    assert operating_points(made(60, k=3), REPORTED, made(60, k=3)) == []


def test_decide_applies_the_chosen_threshold():
    val, test = made(200, seed=1), made(50, seed=2)
    decided = decide(test, parse_rule("sens@0.95"), val)
    [point] = operating_points(test, [parse_rule("sens@0.95")], val)
    assert decided.threshold == pytest.approx(point["threshold"])
    np.testing.assert_array_equal(decided.predicted, test.probabilities[:, 1] > decided.threshold)
    assert decide(test, HEADLINE, None).threshold == 0.5


def test_a_threshold_that_cannot_be_chosen_is_0_5_with_a_warning(caplog):
    assert decide(made(50), parse_rule("youden"), one_class()).threshold == 0.5
    assert "threshold=youden cannot be chosen" in caplog.text


def test_threshold_rules_require_two_classes():
    check_rule(HEADLINE, ("a", "b", "c"))
    check_rule(parse_rule("youden"), ("a", "b"))
    with pytest.raises(ConfigError, match=r"threshold=youden.* 3: a, b, c\. Remove threshold"):
        check_rule(parse_rule("youden"), ("a", "b", "c"))


@pytest.mark.parametrize("k", [2, 3])
def test_calibration_before_and_after(k):
    found = calibration(made(2000, seed=5, sharpness=2.0, k=k), made(2000, sharpness=2.0, k=k))
    assert found is not None
    assert found["temperature"] == pytest.approx(2.0, rel=0.1)
    assert found["bins"] == 10
    assert found["ece"]["after"] < 0.04 < found["ece"]["before"]
    for name in ("log_loss", "brier"):
        assert found[name]["after"] < found[name]["before"]
    for rows in found["reliability"].values():
        assert sum(row["n"] for row in rows) == 2000
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_calibration_without_errors_has_no_temperature():
    val = made(60)
    found = calibration(val, replace(val, targets=val.predicted))
    assert found is not None
    assert found["temperature"] is None
    assert found["ece"]["before"] > 0
    assert found["ece"]["after"] is None


def test_non_finite_probabilities_are_not_used():
    val, broken = made(20), made(20)
    broken.probabilities[3] = np.nan
    assert operating_points(broken, REPORTED, val) == []
    assert calibration(val, broken) is None
    assert decide(val, parse_rule("youden"), broken).threshold == 0.5


def test_class_shares_are_estimated_without_labels():
    val, whole = made(3000, seed=8), made(6000, seed=9)
    # A fifth of the positive images is kept, and the model was trained with a weighted loss.
    rng = np.random.default_rng(0)
    kept = np.flatnonzero((whole.targets == 0) | (rng.random(6000) < 0.2))
    weighted = [reweight(p.probabilities, np.array([1.0, 4.0])) for p in (val, whole)]
    val = replace(val, probabilities=weighted[0])
    rarer = replace(
        whole,
        patients=[whole.patients[k] for k in kept],
        targets=whole.targets[kept],
        probabilities=weighted[1][kept],
    )
    found = calibration(rarer, val)
    assert found is not None
    shares = found["class_shares"]
    assert shares["on_val"][1] == pytest.approx(0.5, abs=0.03)
    assert shares["observed"][1] == pytest.approx(1 / 6, abs=0.02)
    assert shares["estimated"] == pytest.approx(shares["observed"], abs=0.03)
    estimated, corrected = correct_prior_shift(rarer, val)
    assert shares["estimated"] == pytest.approx(estimated)
    assert corrected.probabilities.mean(axis=0) == pytest.approx(estimated, abs=1e-6)
    # The effects of the weighted loss and the prior shift are removed, so more images are correct.
    correct = [(p.predicted == p.targets).mean() for p in (rarer, corrected)]
    assert correct[1] > correct[0] + 0.05


def test_no_shares_are_estimated_if_validation_images_of_a_class_are_missing():
    found = calibration(made(50), one_class())
    assert found is not None
    assert found["class_shares"]["estimated"] is None
    assert found["class_shares"]["on_val"] == [0.0, 1.0]
    with pytest.raises(RunError, match=r"none of normal\. Remove prior=em"):
        correct_prior_shift(made(50), one_class())
