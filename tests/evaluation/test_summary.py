import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xray.evaluation.summary import summarize
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


def test_two_classes_exact_values():
    # TP 2, FN 1, FP 1, TN 2. The positive image is ranked higher in 8 of 9 pairs.
    labels = ["NORMAL", "NORMAL", "NORMAL", "Covid", "PNEUMONIA", "Covid"]
    summary = summarize(two_class([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.7, 0.4, 0.8, 0.9], labels))
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
        # Precision at each increase of recall by 1/3: 1/1, 2/2, 3/4.
        "auprc": pytest.approx((1 + 1 + 3 / 4) / 3),
    }
    # One patient has no interval.
    no_interval = {"low": None, "high": None}
    assert summary["per_label"] == {
        "Covid": {"n": 2, "recall": {"value": 0.5, **no_interval}},
        "NORMAL": {"n": 3, "recall": {"value": pytest.approx(2 / 3, abs=1e-6), **no_interval}},
        "PNEUMONIA": {"n": 1, "recall": {"value": 1.0, **no_interval}},
    }


def test_three_classes_exact_values():
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
    summary = summarize(predictions)
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
def test_undefined_metrics_are_none_without_warnings(targets, positive, undefined):
    found = values(summarize(two_class(targets, positive)))
    assert {name for name, value in found.items() if value is None} == undefined


def test_one_of_three_classes_is_absent():
    predictions = Predictions(
        paths=["a", "b"],
        patients=["p"] * 2,
        labels=["x"] * 2,
        targets=np.array([0, 1]),
        probabilities=np.array([[0.8, 0.1, 0.1], [0.3, 0.5, 0.2]]),
        classes=("covid", "normal", "pneumonia"),
    )
    found = values(summarize(predictions))
    assert found["accuracy"] == 1.0
    assert found["specificity"] == 1.0
    assert {name for name, value in found.items() if value is None} == {
        "precision",
        "recall",
        "f1",
        "auroc",
        "auprc",
    }


def test_probabilities_slightly_above_1_are_clipped():
    predictions = two_class([0, 0, 1, 1], [0.1, 0.2, 0.8, 1.0 + 1e-12])
    # If they were treated as logits, all would be above 0.5 and the specificity 0.
    assert summarize(predictions)["specificity"]["value"] == 1.0


def test_non_finite_probabilities_give_none():
    summary = summarize(two_class([0, 1, 1], [0.1, float("nan"), 0.9]))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_summary_is_json():
    summary = summarize(two_class([0, 1], [0.1, 0.9]))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def many(n: int = 120, k: int = 2) -> Predictions:
    """Return predictions with two images per patient."""
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
def test_every_metric_is_inside_its_interval(k):
    summary = summarize(many(k=k))
    assert (summary["n"], summary["patients"]) == (120, 60)
    for name in METRICS | FURTHER:
        assert summary[name]["low"] < summary[name]["value"] < summary[name]["high"]
    assert not any("/" in name for name in summary)


def test_similar_images_of_a_patient_widen_the_interval():
    clustered = many()
    single = replace(clustered, patients=clustered.paths)
    wide, narrow = (summarize(p)["accuracy"] for p in (clustered, single))
    assert wide["value"] == narrow["value"]
    alike = replace(clustered, probabilities=clustered.probabilities[::2].repeat(2, axis=0))
    width = [
        entry["high"] - entry["low"]
        for entry in (
            summarize(alike)["auroc"],
            summarize(replace(alike, patients=alike.paths))["auroc"],
        )
    ]
    assert width[0] > 1.2 * width[1]


def test_one_patient_has_no_interval():
    summary = summarize(two_class([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]))
    assert {(summary[name]["low"], summary[name]["high"]) for name in METRICS} == {(None, None)}


def test_intervals_without_errors_are_wilsons():
    patients = [f"p{i}" for i in range(20)]
    summary = summarize(
        replace(two_class([0] * 8 + [1] * 12, [0.1] * 8 + [0.9] * 12), patients=patients)
    )
    for name, n in (("accuracy", 20), ("recall", 12), ("specificity", 8), ("precision", 12)):
        # Lower bound of Wilson's interval for n of n.
        lowest = n / (n + 1.959964**2)
        assert summary[name] == {"value": 1.0, "low": pytest.approx(lowest), "high": 1.0}
    # The class with fewer patients counts.
    assert summary["auroc"] == {
        "value": 1.0,
        "low": pytest.approx(8 / (8 + 1.959964**2)),
        "high": 1.0,
    }


def test_recall_of_a_folder_has_an_interval():
    labels = ["covid"] * 12 + ["viral"] * 12
    given = two_class([1] * 24, [0.9] * 12 + [0.9] * 6 + [0.1] * 6, labels)
    found = summarize(replace(given, patients=[f"p{i}" for i in range(24)]))["per_label"]
    assert found["covid"]["recall"]["low"] == pytest.approx(12 / (12 + 1.959964**2))
    half = found["viral"]["recall"]
    assert half["value"] == 0.5
    assert 0.15 < half["low"] < 0.35
    assert 0.65 < half["high"] < 0.85


def test_perfect_auroc_of_several_classes_has_wilsons_interval():
    predictions = many(k=3)
    sure = np.eye(3)[predictions.targets] * 0.97 + 0.01
    patients = [f"p{i}" for i in range(len(sure))]
    summary = summarize(replace(predictions, probabilities=sure, patients=patients))
    fewest = np.bincount(predictions.targets).min()
    assert summary["auroc"]["low"] == pytest.approx(fewest / (fewest + 1.959964**2))


def test_the_threshold_changes_decisions_and_not_the_auroc():
    even = two_class([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    summary = summarize(replace(even, threshold=0.3))
    assert summary["threshold"] == 0.3
    assert summary["confusion_matrix"] == [[1, 1], [0, 2]]
    assert summary["recall"]["value"] == 1.0
    assert summary["per_label"]["x"]["recall"]["value"] == 0.75
    assert summary["auroc"]["value"] == summarize(even)["auroc"]["value"] == 0.75


def test_each_of_several_classes_is_scored_against_the_rest():
    summary = summarize(many(k=3))
    assert list(summary["per_class"]) == ["a", "b", "c"]
    for name in METRICS - {"accuracy"}:
        each = [scores[name] for scores in summary["per_class"].values()]
        assert summary[name]["value"] == pytest.approx(np.mean([one["value"] for one in each]))
        assert all(one["low"] < one["value"] < one["high"] for one in each)
    assert "per_class" not in summarize(many())


def test_summaries_are_deterministic():
    assert json.dumps(summarize(many())) == json.dumps(summarize(many()))


def test_metrics_of_an_older_run_are_unchanged():
    run = Path(__file__).parents[1] / "fixtures/run_v0_1/outputs/train/run"
    recorded = json.loads((run / "metrics.json").read_text())
    for split in ("val", "test"):
        predictions = replace(
            Predictions.from_csv(run / "predictions" / f"{split}.csv"),
            verdict=recorded[split]["verdict"],
            threshold=recorded[split]["threshold"],
        )
        found = json.loads(json.dumps(summarize(predictions)))
        assert found == {name: recorded[split][name] for name in found}
