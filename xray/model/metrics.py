"""Metrics of the learning curves, computed by torchmetrics.

The results of a finished run are computed by `xray.stats.scores`, with confidence intervals.
"""

import warnings

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torchmetrics import Metric, MetricCollection
from torchmetrics import classification as tm

from xray.model.metric_table import METRICS, MetricRow

BINARY = 2

_ABSENT = r"Average precision score for one or more classes was|No (positive|negative) samples"
"""Beginnings of torchmetrics' warnings about classes without images."""


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
        self.values = MetricCollection(
            {name: _build(row, num_classes) for name, row in METRICS.items()}
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


def _build(row: MetricRow, num_classes: int) -> Metric:
    """Create the metric of torchmetrics for a number of classes."""
    metric: Metric
    if num_classes == BINARY:
        metric = getattr(tm, f"Binary{row.name}")()
    else:
        metric = getattr(tm, f"Multiclass{row.name}")(num_classes, **row.multiclass)
    return metric


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
