"""The figures of a split: what its predictions look like, and where they go."""

from collections.abc import Callable, Mapping
from pathlib import Path

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
from xray.reporting.curves import curves_figure
from xray.reporting.failures import failures_figure
from xray.runs import layout
from xray.runs.predictions import Predictions
from xray.stats.calibration import apply_temperature, reliability
from xray.stats.scores import BINARY, BINS, bin_of, confidence

_DARK_CELL = 0.5

Scored = tuple[str, npt.NDArray[np.bool_], npt.NDArray[np.float64], npt.NDArray[np.bool_]]


def write_figures(
    run_dir: Path,
    split: str,
    predictions: Predictions,
    *,
    temperature: float | None = None,
    read: Callable[[str], npt.NDArray[np.uint8]] = read_image,
) -> list[Path]:
    """Write every figure that the predictions define as figures/<split>_<name>.png.

    Args:
        run_dir: The run directory.
        split: Which split the predictions are of.
        predictions: What to draw.
        temperature: Fitted on validation images; reliability is shown after it, too.
        read: Turns a path into (H, W) uint8.

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
    return _saved(run_dir, figures)


def write_curves(run_dir: Path) -> list[Path]:
    """Write figures/curves.png, of what Lightning's metrics.csv tells, where there is one."""
    log = run_dir / layout.CURVES
    return _saved(run_dir, {"curves": curves_figure(log) if log.is_file() else None})


def _saved(run_dir: Path, figures: Mapping[str, Figure | None]) -> list[Path]:
    written = []
    for name, figure in figures.items():
        if figure is not None:
            written.append(run_dir / layout.FIGURES / f"{name}.png")
            style.save(figure, written[-1])
    return written


def confusion_figure(predictions: Predictions, split: str) -> Figure:
    """Draw the confusion matrix: counts, and the share of each row."""
    k = len(predictions.classes)
    counts = confusion_matrix(predictions.targets, predictions.predicted, labels=range(k))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = style.new_figure(1.1 + 1.4 * k, 1.2 + 1.4 * k)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(k, k):
        share = shares[row, column]
        text = f"{counts[row, column]:,}\n{share:.1%}"
        colour = "white" if share > _DARK_CELL else style.INK
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=style.TITLE)
    style.dress(axes, _title("Confusion", split, predictions), "predicted", "truth")
    axes.grid(visible=False)
    axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=style.HAIRLINE, linewidth=1)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(range(k), predictions.classes, parse_math=False)
    axes.set_yticks(range(k), predictions.classes, parse_math=False, rotation=90, va="center")
    return figure


def roc_figure(predictions: Predictions, split: str) -> Figure | None:
    """Draw the ROC curves, or nothing where no class has both positives and negatives.

    With two classes the curve is the second one's; with more, each class stands against the rest.
    The dots are the decisions taken: the most probable class.
    """
    scored = _scored(predictions)
    if not scored:
        return None
    figure, axes = _unit_axes()
    axes.plot([0, 1], [0, 1], linestyle="--", color=style.MUTED, linewidth=1, label="chance")
    for colour, (name, truth, score, called) in zip(style.cycle(), scored, strict=False):
        fpr, tpr, _ = roc_curve(truth, score)
        label = f"{name}: AUROC {roc_auc_score(truth, score):.3f}"
        axes.plot(fpr, tpr, color=colour, linewidth=2, label=label)
        _dot(axes, called[~truth].mean(), called[truth].mean(), colour)
    title = _title("ROC", split, predictions)
    style.dress(axes, title, "1 - specificity (false positive rate)", "sensitivity")
    style.add_legend(axes, "lower right")
    return figure


def precision_recall_figure(predictions: Predictions, split: str) -> Figure | None:
    """Draw precision against recall; chosen and marked as in `roc_figure`.

    The dashed lines are the prevalences: the precision of calling images positive at random.
    """
    scored = _scored(predictions)
    if not scored:
        return None
    figure, axes = _unit_axes()
    for colour, (name, truth, score, called) in zip(style.cycle(), scored, strict=False):
        precision, recall, _ = precision_recall_curve(truth, score)
        label = f"{name}: AUPRC {average_precision_score(truth, score):.3f}"
        axes.plot(recall, precision, drawstyle="steps-post", color=colour, linewidth=2, label=label)
        prevalence = f"prevalence {truth.mean():.3f}"
        axes.axhline(truth.mean(), linestyle="--", color=colour, linewidth=1, label=prevalence)
        if called.any():
            _dot(axes, called[truth].mean(), truth[called].mean(), colour)
    title = _title("Precision-recall", split, predictions)
    style.dress(axes, title, "recall (sensitivity)", "precision (positive predictive value)")
    style.add_legend(axes, "lower left")
    return figure


def reliability_figure(
    predictions: Predictions, split: str, temperature: float | None = None
) -> Figure:
    """Draw observed against predicted probability in ten bins of equal width, and their sizes.

    Where a temperature is given, what it makes of the probabilities is drawn beside them.

    With two classes the probability is the second one's; with more, it is the most probable
    class's, and what is observed is how often that class is right.
    """
    binary = len(predictions.classes) == BINARY
    named = f"predicted probability of {predictions.classes[1]}"
    xlabel = named if binary else "probability of the predicted class"
    score, _ = confidence(predictions.targets, predictions.probabilities)
    n = np.bincount(bin_of(score), minlength=BINS)
    lines = {"observed": predictions.probabilities}
    if temperature is not None:
        after = f"after a temperature of {temperature:.3g}"
        lines[after] = apply_temperature(predictions.probabilities, temperature)
    figure = style.new_figure(5.6, 6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.6, 1))
    upper.plot([0, 1], [0, 1], linestyle="--", color=style.MUTED, linewidth=1, label="calibrated")
    for colour, (label, probabilities) in zip(style.cycle(), lines.items(), strict=False):
        _, predicted, observed = zip(*reliability(probabilities, predictions.targets), strict=True)
        upper.plot(predicted, observed, marker="o", color=colour, linewidth=2, label=label)
    style.dress(upper, _title("Reliability", split, predictions), "", "observed share")
    upper.set(xlim=(-0.01, 1.01), ylim=(-0.02, 1.02))
    style.add_legend(upper, "upper left")
    middles = (np.arange(BINS) + 0.5) / BINS
    lower.bar(middles, n, width=0.92 / BINS, color=style.COLOURS[0])
    style.dress(lower, "", xlabel, "images")
    return figure


def _scored(predictions: Predictions) -> list[Scored]:
    """Give name, truth, score and decision of each class that has positives and negatives."""
    first = 1 if len(predictions.classes) == BINARY else 0
    scored = [
        (
            name,
            predictions.targets == k,
            predictions.probabilities[:, k],
            predictions.predicted == k,
        )
        for k, name in enumerate(predictions.classes)
        if k >= first
    ]
    return [entry for entry in scored if entry[1].any() and not entry[1].all()]


def _title(what: str, split: str, predictions: Predictions) -> str:
    title = f"{what}, {split} (n = {len(predictions.targets):,})"
    return f"{title}\n{LEAKING}" if predictions.verdict == LEAKING else title


def _unit_axes() -> tuple[Figure, Axes]:
    figure = style.new_figure()
    axes = figure.add_subplot()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    return figure, axes


def _dot(axes: Axes, x: float, y: float, colour: str) -> None:
    axes.plot(
        x, y, "o", color=colour, markeredgecolor="white", markersize=9, zorder=3, clip_on=False
    )
