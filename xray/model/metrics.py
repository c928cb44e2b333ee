"""Metrics of the learning curves, computed by torchmetrics.

The results of a finished run are computed by `xray.stats.scores`, with confidence intervals.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torchmetrics import Metric, MetricCollection
from torchmetrics import classification as tm

BINARY = 2

_ABSENT = r"Average precision score for one or more classes was|No (positive|negative) samples"
"""Beginnings of torchmetrics' warnings about classes without images."""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric of the learning curves.

    Attributes:
        binary: Creates the metric for two classes; the second class is the positive one, and the
            threshold is 0.5.
        multiclass: Creates the metric for a number of classes.
        needs_all_classes: Whether the metric is undefined (NaN) if a class has no image.
    """

    binary: Callable[[], Metric]
    multiclass: Callable[[int], Metric]
    needs_all_classes: bool = False


# With more than two classes, accuracy counts images; the other metrics are the unweighted mean over
# the classes, each against the rest.
METRICS: dict[str, MetricRow] = {
    "accuracy": MetricRow(
        tm.BinaryAccuracy, lambda classes: tm.MulticlassAccuracy(classes, average="micro")
    ),
    "precision": MetricRow(tm.BinaryPrecision, tm.MulticlassPrecision),
    "recall": MetricRow(tm.BinaryRecall, tm.MulticlassRecall, needs_all_classes=True),
    "f1": MetricRow(tm.BinaryF1Score, tm.MulticlassF1Score),
    "specificity": MetricRow(
        tm.BinarySpecificity, tm.MulticlassSpecificity, needs_all_classes=True
    ),
    "auroc": MetricRow(tm.BinaryAUROC, tm.MulticlassAUROC, needs_all_classes=True),
    "auprc": MetricRow(
        tm.BinaryAveragePrecision, tm.MulticlassAveragePrecision, needs_all_classes=True
    ),
}
"""Metrics by name; every row is logged as `<split>/<name>` and can be monitored."""


class SplitMetrics(nn.Module):
    """The metrics of one split, accumulated over the batches of an epoch.

    Args:
        num_classes: Number of classes, at least 2.

    Examples:
        >>> metrics = SplitMetrics(2)
        >>> metrics.update(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), torch.tensor([0, 1]))
        >>> float(metrics.compute()["auroc"])
        1.0
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        rows = METRICS.items()
        self.values = MetricCollection(
            {
                name: row.binary() if num_classes == BINARY else row.multiclass(num_classes)
                for name, row in rows
            }
        )
        self.counts = ClassCounts(num_classes)

    def update(self, probabilities: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            probabilities: (B, K) float in [0, 1], rows summing to 1.
            target: (B,) int64, class indices.
        """
        scores = probabilities[:, 1] if probabilities.shape[1] == BINARY else probabilities
        self.values.update(scores, target)
        self.counts.update(target)

    def compute(self) -> dict[str, Tensor]:
        """Return the value of each metric; NaN where a class without images leaves it undefined."""
        absent = bool((self.counts.compute() == 0).any())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", _ABSENT, UserWarning)
            values: dict[str, Tensor] = self.values.compute()
        undefined = {name for name in values if absent and METRICS[name].needs_all_classes}
        return {
            name: torch.full_like(value, torch.nan) if name in undefined else value
            for name, value in values.items()
        }

    def reset(self) -> None:
        """Start a new epoch."""
        self.values.reset()
        self.counts.reset()


class ClassCounts(Metric):
    """Number of images of each class: (K,) int64."""

    full_state_update = False

    counts: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, target: Tensor) -> None:
        """Count a batch of class indices, (B,) int64."""
        self.counts = self.counts + one_hot(target, len(self.counts)).sum(dim=0)

    def compute(self) -> Tensor:
        """Return the counts, (K,) int64."""
        return self.counts
