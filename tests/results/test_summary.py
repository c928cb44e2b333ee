import json

import numpy as np
import pytest

from xray.results.predictions import Predictions
from xray.results.summary import summarise

METRICS = {"accuracy", "precision", "recall", "f1", "specificity", "auroc", "auprc"}


def two_class(targets: list[int], positive: list[float], labels: list[str] | None = None):
    p = np.array(positive, dtype=np.float64)
    n = len(targets)
    return Predictions(
        paths=[f"{k}.png" for k in range(n)],
        patients=["p"] * n,
        labels=labels or ["x"] * n,
        targets=np.array(targets, dtype=np.int64),
        probabilities=np.stack([1 - p, p], axis=1),
        classes=("normal", "pneumonia"),
    )


def values(summary: dict) -> dict:
    return {name: summary[name]["value"] for name in METRICS}


def test_two_classes_by_hand():
    # TP 2, FN 1, FP 1, TN 2; of the 9 pairs the positive one is ranked higher in 7.
    labels = ["NORMAL", "NORMAL", "NORMAL", "Covid", "PNEUMONIA", "Covid"]
    summary = summarise(two_class([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.7, 0.4, 0.8, 0.9], labels))
    assert summary["n"] == 6
    assert summary["classes"] == ["normal", "pneumonia"]
    assert summary["threshold"] == 0.5
    assert summary["confusion_matrix"] == [[2, 1], [1, 2]]
    third = pytest.approx(2 / 3)
    assert values(summary) == {
        "accuracy": third,
        "precision": third,
        "recall": third,
        "f1": third,
        "specificity": third,
        "auroc": pytest.approx(8 / 9),
        # Precision where recall rises by a third: 1/1, 2/2, 3/4.
        "auprc": pytest.approx((1 + 1 + 3 / 4) / 3),
    }
    assert summary["per_label"] == {
        "Covid": {"n": 2, "recall": 0.5},
        "NORMAL": {"n": 3, "recall": pytest.approx(2 / 3)},
        "PNEUMONIA": {"n": 1, "recall": 1.0},
    }


def test_three_classes_by_hand():
    predictions = Predictions(
        paths=["a", "b", "c", "d"],
        patients=["p"] * 4,
        labels=["x"] * 4,
        targets=np.array([0, 0, 1, 2]),
        probabilities=np.array(
            [[0.8, 0.1, 0.1], [0.3, 0.5, 0.2], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]
        ),
        classes=("covid", "normal", "pneumonia"),
    )
    summary = summarise(predictions)
    assert summary["threshold"] is None
    assert summary["confusion_matrix"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert summary["accuracy"]["value"] == pytest.approx(3 / 4)
    assert summary["recall"]["value"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert summary["precision"]["value"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert summary["specificity"]["value"] == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert summary["auroc"]["value"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("targets", "positive", "undefined"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.9], {"recall", "auroc", "auprc"}),
        ([1, 1], [0.1, 0.9], {"specificity", "auroc"}),
        ([0, 1], [0.1, 0.2], {"precision"}),
        ([0, 0], [0.1, 0.2], {"precision", "recall", "f1", "auroc", "auprc"}),
        ([], [], METRICS),
    ],
)
def test_undefined_metrics_are_none_and_nothing_warns(targets, positive, undefined):
    found = values(summarise(two_class(targets, positive)))
    assert {name for name, value in found.items() if value is None} == undefined


def test_a_class_absent_among_three():
    predictions = Predictions(
        paths=["a", "b"],
        patients=["p"] * 2,
        labels=["x"] * 2,
        targets=np.array([0, 1]),
        probabilities=np.array([[0.8, 0.1, 0.1], [0.3, 0.5, 0.2]]),
        classes=("covid", "normal", "pneumonia"),
    )
    found = values(summarise(predictions))
    assert found["accuracy"] == 1.0
    assert found["specificity"] == 1.0
    assert {name for name, value in found.items() if value is None} == {
        "precision",
        "recall",
        "f1",
        "auroc",
        "auprc",
    }


def test_probabilities_just_above_1_are_not_taken_for_logits():
    predictions = two_class([0, 0, 1, 1], [0.1, 0.2, 0.8, 1.0 + 1e-12])
    # As logits they would all be above 0.5, and specificity 0.
    assert summarise(predictions)["specificity"]["value"] == 1.0


def test_probabilities_that_are_no_numbers_give_none():
    summary = summarise(two_class([0, 1, 1], [0.1, float("nan"), 0.9]))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_summary_is_plain():
    summary = summarise(two_class([0, 1], [0.1, 0.9]))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
