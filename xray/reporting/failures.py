"""The images that a network is most sure of and wrong about."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xray.errors import ImageError
from xray.reporting import style
from xray.runs.predictions import Predictions
from xray.stats.scores import BINARY

SHOWN = 12
TINY = 1e-12
_COLUMNS = 4
_NAME_LENGTH = 28


def worst_failures(predictions: Predictions, n: int = SHOWN) -> list[int]:
    """Give the positions of the wrong predictions, the surest first, n at most.

    With two classes a call is the surer, the farther its probability lies from the threshold, as a
    share of what it can be; at 0.5, and with more classes, the more probable it is.
    """
    wrong = np.flatnonzero(predictions.predicted != predictions.targets)
    called = predictions.predicted[wrong]
    sure = predictions.probabilities[wrong, called]
    if len(predictions.classes) == BINARY:
        least = np.where(called == 1, predictions.threshold, 1 - predictions.threshold)
        sure = (sure - least) / np.maximum(1 - least, TINY)
    return wrong[np.argsort(-sure, kind="stable")][:n].tolist()  # type: ignore[no-any-return]


def failures_figure(
    predictions: Predictions, split: str, read: Callable[[str], npt.NDArray[np.uint8]]
) -> Figure | None:
    """Draw the most confidently wrong images, or nothing where all are right.

    Args:
        predictions: Of a split.
        split: Its name.
        read: Turns a path into (H, W) uint8; an image it refuses is shown as a grey field.
    """
    shown = worst_failures(predictions)
    if not shown:
        return None
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = style.new_figure(max(2.7 * columns, 5.4), 3.2 * rows + 0.5)
    wrong = int((predictions.predicted != predictions.targets).sum())
    figure.set_layout_engine("constrained", h_pad=0.12, w_pad=0.08)
    counts = f"{len(shown)} of {wrong:,} wrong, n = {len(predictions.paths):,}"
    title = f"Surest mistakes, {split} ({counts})"
    figure.suptitle(title, fontsize=style.TITLE, color=style.INK, x=0.01, ha="left")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, index in zip(grid, shown, strict=False):
        _show(axes, predictions, index, read)
    return figure


def _show(
    axes: Axes, predictions: Predictions, index: int, read: Callable[[str], npt.NDArray[np.uint8]]
) -> None:
    try:
        axes.imshow(read(predictions.paths[index]), cmap="gray", vmin=0, vmax=255)
    except ImageError:
        axes.imshow(np.full((1, 1), 200, np.uint8), cmap="gray", vmin=0, vmax=255)
        axes.text(0, 0, "cannot be read", ha="center", va="center", fontsize=style.TICK)
    called = predictions.predicted[index]
    probability = predictions.probabilities[index, called]
    truth, label = predictions.classes[predictions.targets[index]], predictions.labels[index]
    if label.casefold() != truth.casefold():
        truth = f"{truth} ({label})"
    name = style.shortened(Path(predictions.paths[index]).name, _NAME_LENGTH)
    text = f"truth: {truth}\ncalled {predictions.classes[called]}, p = {probability:.3f}\n{name}"
    axes.set_title(text, fontsize=style.TICK, color=style.INK, loc="left", parse_math=False)
