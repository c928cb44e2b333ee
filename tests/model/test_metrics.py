import math

import pytest
import torch

from xray.model import metric_table
from xray.model.metric_table import MetricRow
from xray.model.metrics import SplitMetrics


def compute(probabilities, target):
    metrics = SplitMetrics(probabilities.shape[1])
    metrics.update(probabilities, target)
    return {name: float(value) for name, value in metrics.compute().items()}


def binary(positive):
    return torch.stack([1 - positive, positive], dim=1)


def test_binary_values():
    positive = torch.tensor([0.9, 0.8, 0.4, 0.3, 0.6])
    # At 0.5: two true positives, one false positive, one false negative. Of six pairs, five are
    # ranked correctly.
    assert compute(binary(positive), torch.tensor([1, 1, 1, 0, 0])) == pytest.approx(
        {
            "accuracy": 3 / 5,
            "precision": 2 / 3,
            "recall": 2 / 3,
            "f1": 2 / 3,
            "specificity": 1 / 2,
            "auroc": 5 / 6,
            "auprc": 1 / 3 + 1 / 3 + (1 / 3) * (3 / 4),
        }
    )


def test_three_classes_average_recall_over_classes_and_accuracy_over_images():
    probabilities = torch.eye(3)[[0, 0, 0, 1, 0]] * 0.7 + 0.1
    values = compute(probabilities, torch.tensor([0, 0, 0, 1, 2]))
    assert values["accuracy"] == pytest.approx(4 / 5)
    assert values["recall"] == pytest.approx((1 + 1 + 0) / 3)


@pytest.mark.parametrize("target", [0, 1])
def test_one_class_leaves_ranking_metrics_undefined(target):
    values = compute(binary(torch.tensor([0.9, 0.2])), torch.tensor([target, target]))
    undefined = {name for name, value in values.items() if math.isnan(value)}
    assert undefined == {"recall", "specificity", "auroc", "auprc"}
    assert values["accuracy"] == 0.5


def test_absent_class_of_three_leaves_ranking_metrics_undefined():
    values = compute(torch.eye(3)[[0, 1, 1]] * 0.7 + 0.1, torch.tensor([0, 1, 0]))
    assert math.isnan(values["auroc"])
    assert values["accuracy"] == pytest.approx(2 / 3)


def test_classes_are_counted_over_the_whole_epoch():
    metrics = SplitMetrics(2)
    for target in (0, 1):
        metrics.update(binary(torch.tensor([0.2 + 0.6 * target])), torch.tensor([target]))
    assert float(metrics.compute()["auroc"]) == 1.0
    metrics.reset()
    metrics.update(binary(torch.tensor([0.9])), torch.tensor([1]))
    assert torch.isnan(metrics.compute()["auroc"])


def test_a_metric_is_one_row(monkeypatch):
    row = MetricRow("MatthewsCorrCoef")
    monkeypatch.setitem(metric_table.METRICS, "mcc", row)
    perfect = binary(torch.tensor([0.9, 0.1]))
    assert compute(perfect, torch.tensor([1, 0]))["mcc"] == 1.0
