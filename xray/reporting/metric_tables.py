"""The table of a report that holds the metrics, and what each means."""

from collections.abc import Mapping
from typing import Any

from xray.reporting.decision_tables import estimate_cell
from xray.reporting.page import Grid
from xray.reporting.terminal import absence
from xray.stats.scores import BINARY

_MEANINGS = {
    "auroc": "how well the groups are told apart over all thresholds: 0.5 is chance",
    "accuracy": "share of images called rightly",
    "recall": "sensitivity: share of the ill that are found",
    "specificity": "share of the healthy that are left alone",
    "precision": "share of alarms that are right",
    "f1": "precision and recall in one",
    "auprc": "area under the precision-recall curve",
    "balanced_accuracy": "mean of sensitivity and specificity",
    "mcc": "correlation of call and truth: 0 is chance",
    "brier": "squared error of the probabilities: less is better",
    "log_loss": "punishes sure mistakes: less is better",
    "ece": "how far probabilities are off on average: less is better",
}
_AVERAGED = {
    "recall": "share found of each class, averaged over the classes",
    "specificity": "share left alone of what is not of a class, averaged over the classes",
    "precision": "share of the calls of a class that are right, averaged over the classes",
    "balanced_accuracy": "mean of the classes' shares found",
    "auroc": "how well each class is told from the rest, averaged: 0.5 is chance",
}
"""With more than two classes."""
_NOTE = (
    "In brackets: the 95 % interval, by resampling patients. The result could lie anywhere in it, "
    "had other patients of the same kind been tested."
)


def metric_grid(metrics: Mapping[str, Any], title: str = "Metrics", note: str = _NOTE) -> Grid:
    """Lay out metrics: a row each, a column a split.

    Args:
        metrics: Entries as metrics.json holds them, by what heads their column.
        title: Of the table.
        note: Stands below it; that a class is absent is said behind it.
    """
    splits = list(metrics)
    several = any(len(metrics[split].get("classes") or ()) > BINARY for split in splits)
    meanings = _MEANINGS | _AVERAGED if several else _MEANINGS
    rows = [
        [f"{name}: {meaning}", *(estimate_cell(metrics[split], name) for split in splits)]
        for name, meaning in meanings.items()
        if any(name in metrics[split] for split in splits)
    ]
    thresholds = [metrics[split].get("threshold") for split in splits]
    if any(threshold is not None for threshold in thresholds):
        texts = ["-" if threshold is None else f"{threshold:.3g}" for threshold in thresholds]
        rows.insert(0, ["threshold: images above this probability are called ill", *texts])
    said = [
        (f"{split}: " if len(splits) > 1 else "") + f"{absence(metrics[split]['absent'])}."
        for split in splits
        if metrics[split].get("absent")
    ]
    return Grid(title, ["", *splits], rows, " ".join([note, *said]))
