"""Table of the metrics of the learning curves; importing it does not import torch.

Every row is computed for the training, validation and test images, logged as `<split>/<name>`, and
can be monitored as `val/<name>`. To add a metric of torchmetrics, add a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric of torchmetrics.

    With two classes, the second class is the positive one, and the threshold is 0.5.

    Attributes:
        name: The part of torchmetrics' names that `Binary<name>` and `Multiclass<name>` share.
        multiclass: Arguments of `Multiclass<name>` besides the number of classes.
        needs_all_classes: Whether the metric is undefined (NaN) if a class has no image.
    """

    name: str
    multiclass: Mapping[str, str] = field(default_factory=dict)
    needs_all_classes: bool = False


# With more than two classes, accuracy counts images; the other metrics are the unweighted mean over
# the classes, each against the rest.
METRICS: dict[str, MetricRow] = {
    "accuracy": MetricRow("Accuracy", {"average": "micro"}),
    "precision": MetricRow("Precision"),
    "recall": MetricRow("Recall", needs_all_classes=True),
    "f1": MetricRow("F1Score"),
    "specificity": MetricRow("Specificity", needs_all_classes=True),
    "auroc": MetricRow("AUROC", needs_all_classes=True),
    "auprc": MetricRow("AveragePrecision", needs_all_classes=True),
}
"""Metrics by name."""

LOSS = "val/loss"
"""The only monitored quantity that is minimized."""

MONITORED: tuple[str, ...] = (LOSS, *(f"val/{name}" for name in METRICS))
"""Values of `monitor.metric`."""
