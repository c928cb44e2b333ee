import json
from dataclasses import replace

import numpy as np
import pytest

from xray.evaluation.summary import summarise
from xray.runs.predictions import Predictions

METRICS = {"accuracy", "precision", "recall", "f1", "specificity", "auroc", "auprc"}
FURTHER = {"balanced_accuracy", "mcc", "brier", "log_loss", "ece"}


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
    assert summary["patients"] == 1
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
    # Of one patient nothing more can be said.
    unsure = {"low": None, "high": None}
    assert summary["per_label"] == {
        "Covid": {"n": 2, "recall": {"value": 0.5, **unsure}},
        "NORMAL": {"n": 3, "recall": {"value": pytest.approx(2 / 3, abs=1e-6), **unsure}},
        "PNEUMONIA": {"n": 1, "recall": {"value": 1.0, **unsure}},
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


def many(n: int = 120, k: int = 2) -> Predictions:
    """Two images a patient."""
    rng = np.random.default_rng(0)
    targets = np.repeat(rng.integers(0, k, n // 2), 2)
    odds = np.exp(rng.normal(size=(n, k)) + 1.5 * np.eye(k)[targets])
    return Predictions(
        paths=[f"{i}.png" for i in range(n)],
        patients=[f"p{i // 2}" for i in range(n)],
        labels=["x"] * n,
        targets=targets,
        probabilities=odds / odds.sum(axis=1, keepdims=True),
        classes=tuple("abcd"[:k]),
    )


@pytest.mark.parametrize("k", [2, 3])
def test_every_metric_has_an_interval_around_it(k):
    summary = summarise(many(k=k))
    assert (summary["n"], summary["patients"]) == (120, 60)
    for name in METRICS | FURTHER:
        assert summary[name]["low"] < summary[name]["value"] < summary[name]["high"]
    assert not any("/" in name for name in summary)


def test_images_of_a_patient_are_not_independent():
    clustered = many()
    single = replace(clustered, patients=clustered.paths)
    wide, narrow = (summarise(p)["accuracy"] for p in (clustered, single))
    assert wide["value"] == narrow["value"]
    alike = replace(clustered, probabilities=clustered.probabilities[::2].repeat(2, axis=0))
    width = [
        entry["high"] - entry["low"]
        for entry in (
            summarise(alike)["auroc"],
            summarise(replace(alike, patients=alike.paths))["auroc"],
        )
    ]
    assert width[0] > 1.2 * width[1]


def test_one_patient_has_no_interval():
    summary = summarise(two_class([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]))
    assert {(summary[name]["low"], summary[name]["high"]) for name in METRICS} == {(None, None)}


def test_no_mistake_leaves_room_for_one():
    patients = [f"p{i}" for i in range(20)]
    summary = summarise(
        replace(two_class([0] * 8 + [1] * 12, [0.1] * 8 + [0.9] * 12), patients=patients)
    )
    for name, n in (("accuracy", 20), ("recall", 12), ("specificity", 8), ("precision", 12)):
        # The lower end of Wilson's interval for n of n.
        lowest = n / (n + 1.959964**2)
        assert summary[name] == {"value": 1.0, "low": pytest.approx(lowest), "high": 1.0}
    # Of the class with fewer patients.
    assert summary["auroc"] == {
        "value": 1.0,
        "low": pytest.approx(8 / (8 + 1.959964**2)),
        "high": 1.0,
    }


def test_what_is_found_of_a_folder_has_an_interval():
    labels = ["covid"] * 12 + ["viral"] * 12
    given = two_class([1] * 24, [0.9] * 12 + [0.9] * 6 + [0.1] * 6, labels)
    found = summarise(replace(given, patients=[f"p{i}" for i in range(24)]))["per_label"]
    assert found["covid"]["recall"]["low"] == pytest.approx(12 / (12 + 1.959964**2))
    half = found["viral"]["recall"]
    assert half["value"] == 0.5
    assert 0.15 < half["low"] < 0.35
    assert 0.65 < half["high"] < 0.85


def test_several_classes_that_are_told_without_mistake():
    predictions = many(k=3)
    sure = np.eye(3)[predictions.targets] * 0.97 + 0.01
    patients = [f"p{i}" for i in range(len(sure))]
    summary = summarise(replace(predictions, probabilities=sure, patients=patients))
    fewest = np.bincount(predictions.targets).min()
    assert summary["auroc"]["low"] == pytest.approx(fewest / (fewest + 1.959964**2))


def test_another_threshold_moves_decisions_and_leaves_ranks():
    even = two_class([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    summary = summarise(replace(even, threshold=0.3))
    assert summary["threshold"] == 0.3
    assert summary["confusion_matrix"] == [[1, 1], [0, 2]]
    assert summary["recall"]["value"] == 1.0
    assert summary["per_label"]["x"]["recall"]["value"] == 0.75
    assert summary["auroc"]["value"] == summarise(even)["auroc"]["value"] == 0.75


def test_each_of_several_classes_stands_against_the_rest():
    summary = summarise(many(k=3))
    assert list(summary["per_class"]) == ["a", "b", "c"]
    for name in METRICS - {"accuracy"}:
        each = [scores[name] for scores in summary["per_class"].values()]
        assert summary[name]["value"] == pytest.approx(np.mean([one["value"] for one in each]))
        assert all(one["low"] < one["value"] < one["high"] for one in each)
    assert "per_class" not in summarise(many())


def test_the_same_predictions_give_the_same_text():
    assert json.dumps(summarise(many())) == json.dumps(summarise(many()))
