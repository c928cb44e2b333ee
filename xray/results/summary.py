"""The figures that a split is summed up in: metrics.json's entry for it."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xray.model.metrics import BINARY, build_metrics, metric_inputs
from xray.results.predictions import Predictions

Counts = npt.NDArray[np.int64]

THRESHOLD = 0.5


def summarise(predictions: Predictions) -> dict[str, Any]:
    """Sum up a split's predictions in plain values, ready for JSON.

    A metric that the images leave undefined (0/0: AUROC where a class is absent, precision where no
    image is called positive) has the value None.

    Args:
        predictions: Of N images and K classes.

    Returns:
        "n", "classes", "threshold" (of the second class's probability; None with more than two),
        each metric of `build_metrics` as {"value": float | None}, "confusion_matrix" (K rows of
        truth, K columns of prediction), and "per_label": for each folder the images came from its
        "n" and its "recall", the share of its images that were given the right class.
    """
    binary = len(predictions.classes) == BINARY
    confusion = _confusion_matrix(predictions)
    return {
        "n": len(predictions.targets),
        "classes": list(predictions.classes),
        "threshold": THRESHOLD if binary else None,
        **_metric_values(predictions, _undefined(confusion, binary=binary)),
        "confusion_matrix": confusion.tolist(),
        "per_label": _per_label(predictions),
    }


def _confusion_matrix(predictions: Predictions) -> Counts:
    k = len(predictions.classes)
    cells = predictions.targets * k + predictions.predicted
    return np.bincount(cells, minlength=k * k).reshape(k, k)


def _undefined(confusion: Counts, *, binary: bool) -> set[str]:
    """Name the metrics that divide by zero for the positive class, or for any one of several."""
    n = confusion.sum()
    scored = slice(1, None) if binary else slice(None)
    true, called = confusion.sum(axis=1)[scored], confusion.sum(axis=0)[scored]
    zero_by_class = {
        "accuracy": n == 0,
        "precision": called == 0,
        "recall": true == 0,
        "f1": true + called == 0,
        "specificity": true == n,
        "auroc": (true == 0) | (true == n),
        "auprc": true == 0,
    }
    return {name for name, zero in zero_by_class.items() if np.any(zero)}


def _metric_values(
    predictions: Predictions, undefined: set[str]
) -> dict[str, dict[str, float | None]]:
    # A rounding error above 1 would make torchmetrics take the probabilities for logits.
    probabilities = torch.from_numpy(predictions.probabilities.clip(0.0, 1.0))
    preds, target = metric_inputs(probabilities, torch.from_numpy(predictions.targets))
    values: dict[str, dict[str, float | None]] = {}
    for name, metric in build_metrics(len(predictions.classes)).items():
        value = math.nan if name in undefined else float(metric(preds, target))
        values[name] = {"value": value if math.isfinite(value) else None}
    return values


def _per_label(predictions: Predictions) -> dict[str, dict[str, float]]:
    right = predictions.targets == predictions.predicted
    labels = np.array(predictions.labels, dtype=object)
    return {
        label: {"n": int((labels == label).sum()), "recall": float(right[labels == label].mean())}
        for label in sorted(set(predictions.labels))
    }
