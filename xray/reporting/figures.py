"""The figures of a split: confusion matrix, ROC, precision-recall and calibration."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from xray.imaging.read import read_image
from xray.integrity.verdict import LEAKING
from xray.reporting import style
from xray.reporting.failures import failures_figure
from xray.runs.predictions import Predictions
from xray.stats.calibration import apply_temperature, reliability
from xray.stats.scores import BINARY, BINS, bin_of, confidence

_DARK_CELL = 0.5
_MAX_NAME = 20
_CELL = 0.85
"""Width of a cell of the confusion matrix in inches, if there are many classes."""


class _OneVsRest(NamedTuple):
    """One class against the others: name, truth, score and decision of N images."""

    name: str
    truth: npt.NDArray[np.bool_]
    score: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.bool_]


def write_figures(
    run_dir: Path,
    split: str,
    predictions: Predictions,
    *,
    temperature: float | None = None,
    read: Callable[[str], npt.NDArray[np.uint8]] = read_image,
) -> list[Path]:
    """Write the figures of a split as figures/<split>_<name>.png; undefined ones are left out.

    Args:
        run_dir: The run directory.
        split: The name of the split.
        predictions: The predictions of the split.
        temperature: The temperature fitted on validation images; the calibration figure then shows
            both the probabilities before and after temperature scaling.
        read: Reads the image at a path as (H, W) uint8.

    Returns:
        The files written.
    """
    figures = {
        f"{split}_confusion": confusion_figure(predictions, split),
        f"{split}_roc": roc_figure(predictions, split),
        f"{split}_precision_recall": precision_recall_figure(predictions, split),
        f"{split}_reliability": reliability_figure(predictions, split, temperature),
        f"{split}_failures": failures_figure(predictions, split, read),
    }
    return style.save_figures(run_dir, figures)


def confusion_figure(predictions: Predictions, split: str) -> Figure:
    """Draw the confusion matrix: counts, and their share of the true class."""
    k = len(predictions.classes)
    counts = confusion_matrix(predictions.targets, predictions.predicted, labels=range(k))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(style.SIDE, 1.1 + _CELL * k)
    figure = style.new_figure(side, side)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(k, k):
        share = shares[row, column]
        text = f"{counts[row, column]:,}\n{share:.1%}"
        color = "white" if share > _DARK_CELL else style.INK
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=style.TITLE)
    title = _title("Confusion matrix", split, predictions)
    style.dress(axes, title, "predicted class", "true class")
    axes.grid(visible=False)
    axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=style.HAIRLINE, linewidth=1)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    names = [style.shortened(name, _MAX_NAME) for name in predictions.classes]
    axes.set_xticks(range(k), names, parse_math=False)
    axes.set_yticks(range(k), names, parse_math=False, rotation=90, va="center")
    return figure


def roc_figure(predictions: Predictions, split: str) -> Figure | None:
    """Draw the ROC curves with the operating points, or None if no curve is defined.

    With two classes the curve is that of the second class; with more, there is one curve per class
    against the rest. A curve is undefined if a class has no images, or no others exist.
    """
    scored = _one_vs_rest(predictions)
    if not scored:
        return None
    figure, axes = _unit_axes()
    axes.plot([0, 1], [0, 1], linestyle="--", color=style.MUTED, linewidth=1, label="chance")
    for color, (name, truth, score, predicted) in zip(style.cycle(), scored, strict=False):
        fpr, tpr, _ = roc_curve(truth, score)
        label = f"{style.shortened(name, _MAX_NAME)}: AUROC {roc_auc_score(truth, score):.3f}"
        axes.plot(fpr, tpr, color=color, linewidth=2, label=label)
        _dot(axes, predicted[~truth].mean(), predicted[truth].mean(), color)
    _label_dot(axes, predictions)
    title = _title("ROC curve", split, predictions)
    style.dress(axes, title, "1 - specificity", "sensitivity")
    style.add_legend(axes, "lower right")
    return figure


def precision_recall_figure(predictions: Predictions, split: str) -> Figure | None:
    """Draw the precision-recall curves with the operating points, or None if none is defined.

    The dashed lines show the prevalence of each class, which is the precision of random decisions.
    """
    scored = _one_vs_rest(predictions)
    if not scored:
        return None
    figure, axes = _unit_axes()
    for color, (name, truth, score, predicted) in zip(style.cycle(), scored, strict=False):
        precision, recall, _ = precision_recall_curve(truth, score)
        area = average_precision_score(truth, score)
        label = f"{style.shortened(name, _MAX_NAME)}: AUPRC {area:.3f}"
        axes.plot(recall, precision, drawstyle="steps-post", color=color, linewidth=2, label=label)
        prevalence = f"prevalence {truth.mean():.3f}"
        axes.axhline(truth.mean(), linestyle="--", color=color, linewidth=1, label=prevalence)
        if predicted.any():
            _dot(axes, predicted[truth].mean(), truth[predicted].mean(), color)
    _label_dot(axes, predictions)
    title = _title("Precision-recall curve", split, predictions)
    style.dress(axes, title, "recall (sensitivity)", "precision (PPV)")
    style.add_legend(axes, "lower left")
    return figure


def reliability_figure(
    predictions: Predictions, split: str, temperature: float | None = None
) -> Figure:
    """Draw the calibration curve in ten bins of equal width, and the number of images per bin.

    With two classes the probability is that of the second class; with more, it is that of the
    predicted class, and the observed frequency is the share of correct predictions.

    Args:
        predictions: The predictions of a split.
        split: The name of the split.
        temperature: If given, a second curve shows the probabilities after temperature scaling.
    """
    binary = len(predictions.classes) == BINARY
    named = f"predicted probability of {predictions.classes[1]}"
    xlabel = named if binary else "probability of the predicted class"
    score, _ = confidence(predictions.targets, predictions.probabilities)
    n = np.bincount(bin_of(score), minlength=BINS)
    lines = {"model": predictions.probabilities}
    if temperature is not None:
        after = f"temperature {temperature:.3g}"
        lines[after] = apply_temperature(predictions.probabilities, temperature)
    figure = style.new_figure()
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.6, 1))
    upper.plot([0, 1], [0, 1], linestyle="--", color=style.MUTED, linewidth=1, label="ideal")
    styled = zip(style.line_styles(), lines.items(), strict=False)
    for (color, marker), (label, probabilities) in styled:
        _, predicted, observed = zip(*reliability(probabilities, predictions.targets), strict=True)
        upper.plot(predicted, observed, marker=marker, color=color, linewidth=2, label=label)
    style.dress(upper, _title("Calibration", split, predictions), "", "observed frequency")
    upper.set(xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    style.add_legend(upper, "upper left")
    middles = (np.arange(BINS) + 0.5) / BINS
    lower.bar(middles, n, width=0.92 / BINS, color=style.COLORS[0])
    style.dress(lower, "", xlabel, "images")
    return figure


def _one_vs_rest(predictions: Predictions) -> list[_OneVsRest]:
    """Return the classes that have both positive and negative images."""
    first = 1 if len(predictions.classes) == BINARY else 0
    scored = [
        _OneVsRest(
            name,
            predictions.targets == k,
            predictions.probabilities[:, k],
            predictions.predicted == k,
        )
        for k, name in enumerate(predictions.classes)
        if k >= first
    ]
    return [entry for entry in scored if entry.truth.any() and not entry.truth.all()]


def _title(name: str, split: str, predictions: Predictions) -> str:
    title = f"{name}, {split} (n = {len(predictions.targets):,})"
    return f"{title}\n{LEAKING}" if predictions.verdict == LEAKING else title


def _unit_axes() -> tuple[Figure, Axes]:
    figure = style.new_figure()
    axes = figure.add_subplot()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    return figure, axes


def _dot(axes: Axes, x: float, y: float, color: str) -> None:
    axes.plot(
        x, y, "o", color=color, markeredgecolor="white", markersize=9, zorder=3, clip_on=False
    )


def _label_dot(axes: Axes, predictions: Predictions) -> None:
    """Add a legend entry for the dots, which mark the decisions taken."""
    binary = len(predictions.classes) == BINARY
    label = f"threshold {predictions.threshold:.3g}" if binary else "predicted class"
    axes.plot([], [], "o", color=style.MUTED, markersize=8, label=label)
