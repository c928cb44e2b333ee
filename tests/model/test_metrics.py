import pytest
import torch

from xray.model.metrics import build_metrics, metric_inputs


def test_binary_values_worked_out_by_hand():
    positive = torch.tensor([0.9, 0.8, 0.4, 0.3, 0.6])
    target = torch.tensor([1, 1, 1, 0, 0])
    metrics = build_metrics(2)
    metrics.update(*metric_inputs(torch.stack([1 - positive, positive], dim=1), target))
    values = {name: float(value) for name, value in metrics.compute().items()}
    # At 0.5: two true positives, one false positive, one miss. Of six pairs the net orders five
    # rightly.
    assert values == pytest.approx(
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
    metrics = build_metrics(3)
    metrics.update(*metric_inputs(probabilities, torch.tensor([0, 0, 0, 1, 2])))
    values = metrics.compute()
    assert float(values["accuracy"]) == pytest.approx(4 / 5)
    assert float(values["recall"]) == pytest.approx((1 + 1 + 0) / 3)
