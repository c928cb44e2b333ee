import numpy as np
import pytest

from xray.errors import ConfigError
from xray.stats.bootstrap import wilson
from xray.stats.intervals import Estimate
from xray.stats.operating import (
    choose_threshold,
    decision_scores,
    estimate_decisions,
    predictive_values,
)
from xray.stats.rule import REPORTED, Rule, parse_rule

TRUTH = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], dtype=bool)
SCORE = np.array([0.1, 0.2, 0.3, 0.4, 0.7, 0.35, 0.6, 0.8, 0.8, 0.9])


@pytest.mark.parametrize(
    ("text", "kind", "level"),
    [
        ("0.5", "fixed", 0.5),
        (".25", "fixed", 0.25),
        ("youden", "youden", 0.0),
        ("sens@0.95", "sens", 0.95),
        ("spec@0.90", "spec", 0.9),
    ],
)
def test_rules_are_parsed(text, kind, level):
    assert parse_rule(text) == Rule(text, kind, level)


@pytest.mark.parametrize(
    "text", ["", "0", "1", "1.5", "-0.5", "Youden", "sens", "sens@", "sens@95", "spec@1.0", "nan"]
)
def test_invalid_rules_are_rejected(text):
    with pytest.raises(ConfigError, match=r"must be a number between 0 and 1 \(0\.5\), youden, s"):
        parse_rule(text)


def test_reported_operating_points():
    assert [rule.text for rule in REPORTED] == ["0.5", "youden", "sens@0.95", "spec@0.90"]


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("0.45", 0.45),
        # Above 0.4: 4/5 + 4/5. Above 0.7: 3/5 + 1. The higher of equally good thresholds is chosen.
        ("youden", 0.75),
        # All positive images are above 0.3.
        ("sens@0.95", 0.325),
        # Exactly four of five are above 0.4.
        ("sens@0.8", 0.5),
        ("spec@0.90", 0.75),
        ("spec@0.8", 0.5),
        ("spec@0.1", 0.15),
    ],
)
def test_chosen_thresholds_exact_values(text, threshold):
    assert choose_threshold(parse_rule(text), TRUTH, SCORE) == pytest.approx(threshold)


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_meets_its_level_on_validation_images(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random(90) < 0.5
    score = (rng.random(90) * 0.7 + 0.3 * truth).round(2)
    for rule in (parse_rule("sens@0.95"), parse_rule("spec@0.90")):
        threshold = choose_threshold(rule, truth, score)
        assert threshold is not None
        found = decision_scores(truth, score > threshold, np.ones((1, 90)))
        reached = found["sensitivity" if rule.kind == "sens" else "specificity"][0]
        assert reached >= rule.level
        # The next threshold does not meet the level.
        higher, lower = score[score > threshold].min(), score[score < threshold].max()
        predicted = score > higher if rule.kind == "sens" else score >= lower
        other = decision_scores(truth, predicted, np.ones((1, 90)))
        assert other["sensitivity" if rule.kind == "sens" else "specificity"][0] < rule.level


def test_adjacent_floats_are_separated():
    low = 0.5
    high = float(np.nextafter(low, 1))
    for text in ("youden", "sens@0.95", "spec@0.90"):
        threshold = choose_threshold(
            parse_rule(text), np.array([False, True]), np.array([low, high])
        )
        assert threshold == low


def test_constant_scores_predict_all_or_none_positive():
    truth, score = np.array([False, True]), np.array([0.5, 0.5])
    lowest = choose_threshold(parse_rule("sens@0.95"), truth, score)
    assert lowest is not None
    assert lowest < 0.5
    assert choose_threshold(parse_rule("spec@0.90"), truth, score) == 0.5


def test_one_class_has_a_fixed_threshold_only():
    truth, score = np.ones(3, bool), np.array([0.1, 0.2, 0.3])
    assert [choose_threshold(rule, truth, score) for rule in REPORTED] == [0.5, None, None, None]


def test_decision_scores_exact_values():
    # TP 4, FN 1, FP 2, TN 3.
    truth = np.array([1] * 5 + [0] * 5, dtype=bool)
    predicted = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0], dtype=bool)
    found = decision_scores(truth, predicted, np.ones((1, 10)))
    assert {name: value[0] for name, value in found.items()} == pytest.approx(
        {"sensitivity": 4 / 5, "specificity": 3 / 5, "ppv": 4 / 6, "npv": 3 / 4, "accuracy": 7 / 10}
    )


def test_predictive_values_exact_values():
    # Of 1,000 images, 100 are positive (90 detected) and 900 negative (180 false positives).
    ppv, npv = predictive_values(np.array([0.9]), np.array([0.8]), 0.1)
    assert (ppv[0], npv[0]) == pytest.approx((90 / 270, 720 / 730))


def test_estimates_have_intervals_at_every_prevalence():
    rng = np.random.default_rng(0)
    truth = np.arange(200) < 80
    predicted = rng.random(200) < np.where(truth, 0.9, 0.2)
    own, elsewhere = estimate_decisions(
        truth, predicted, [f"p{i}" for i in range(200)], prevalences=(0.4, 0.01), draws=400
    )
    for estimates in (own, *elsewhere.values()):
        for found in estimates.values():
            assert found.low < found.value < found.high
    # At the prevalence of the set, Bayes' theorem gives the values of the set.
    assert elsewhere[0.4]["ppv"].value == pytest.approx(own["ppv"].value)
    assert elsewhere[0.01]["ppv"].value < own["ppv"].value


def test_estimates_without_errors_have_wilsons_interval():
    truth = np.arange(20) < 12
    own, _ = estimate_decisions(truth, truth, [f"p{i // 2}" for i in range(20)], draws=50)
    assert own["sensitivity"] == Estimate.of(1.0, wilson(1.0, 6))
    assert own["specificity"] == Estimate.of(1.0, wilson(1.0, 4))
    assert own["accuracy"] == Estimate.of(1.0, wilson(1.0, 10))


def test_estimates_of_one_class():
    truth = np.ones(6, bool)
    own, elsewhere = estimate_decisions(truth, truth, list("abcdef"), draws=50)
    assert own["specificity"] == Estimate()
    assert own["npv"] == Estimate()
    assert elsewhere[0.1]["ppv"] == Estimate()
