"""torchmetrics collections, the same for training, testing and every later report."""

from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryAveragePrecision,
    BinaryF1Score,
    BinaryPrecision,
    BinaryRecall,
    BinarySpecificity,
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassAveragePrecision,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
    MulticlassSpecificity,
)

BINARY = 2

ABSENT = r"Average precision score for one or more classes was|No (positive|negative) samples"
"""Begins what torchmetrics warns of where a class has no image."""


def build_metrics(num_classes: int) -> MetricCollection:
    """Accuracy, precision, recall, F1, specificity, AUROC and AUPRC.

    With two classes the second is the positive one and the threshold is 0.5. With more, accuracy
    counts images, and the others are the unweighted mean over the classes, each against the rest.

    Args:
        num_classes: How many classes there are, at least 2.

    Returns:
        A collection to be updated with what `metric_inputs` returns.
    """
    if num_classes == BINARY:
        return MetricCollection(
            {
                "accuracy": BinaryAccuracy(),
                "precision": BinaryPrecision(),
                "recall": BinaryRecall(),
                "f1": BinaryF1Score(),
                "specificity": BinarySpecificity(),
                "auroc": BinaryAUROC(),
                "auprc": BinaryAveragePrecision(),
            }
        )
    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(num_classes, average="micro"),
            "precision": MulticlassPrecision(num_classes),
            "recall": MulticlassRecall(num_classes),
            "f1": MulticlassF1Score(num_classes),
            "specificity": MulticlassSpecificity(num_classes),
            "auroc": MulticlassAUROC(num_classes),
            "auprc": MulticlassAveragePrecision(num_classes),
        }
    )


def metric_inputs(probabilities: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Shape class probabilities as the collection of `build_metrics` expects them.

    Args:
        probabilities: (N, K) float in [0, 1], rows summing to 1.
        target: (N,) int64.

    Returns:
        With two classes the (N,) probability of the second, else `probabilities`; and `target`.
    """
    return (probabilities[:, 1] if probabilities.shape[1] == BINARY else probabilities), target
