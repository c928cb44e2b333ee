"""Confident errors: their selection, their images and their heatmaps.

Modules that import torch are imported inside `explain_failures`: a report does not need torch.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xray.errors import ImageError
from xray.reporting import style
from xray.runs import layout
from xray.runs.predictions import Predictions
from xray.runs.run import RunFiles
from xray.stats.scores import BINARY

if TYPE_CHECKING:
    import torch

    from xray.data.dataset import SplitDataset
    from xray.model.classifier import XrayClassifier

SHOWN = 12
_SMALLEST = 1e-12
_COLUMNS = 4
_NAME_LENGTH = 28


def confident_errors(predictions: Predictions, n: int = SHOWN) -> list[int]:
    """Return the positions of the most confident wrong predictions, most confident first.

    With two classes the confidence is the distance of the probability from the threshold, relative
    to the largest possible distance. With three or more it is the probability.

    Args:
        predictions: The predictions of a split.
        n: The maximum number of positions.
    """
    wrong = np.flatnonzero(predictions.predicted != predictions.targets)
    predicted = predictions.predicted[wrong]
    confidence = predictions.probabilities[wrong, predicted]
    if len(predictions.classes) == BINARY:
        least = np.where(predicted == 1, predictions.threshold, 1 - predictions.threshold)
        confidence = (confidence - least) / np.maximum(1 - least, _SMALLEST)
    order = np.argsort(-confidence, kind="stable")
    return wrong[order][:n].tolist()  # type: ignore[no-any-return]


def failures_figure(
    predictions: Predictions, split: str, read: Callable[[str], npt.NDArray[np.uint8]]
) -> Figure | None:
    """Draw the images of the most confident errors, or None if every prediction is correct.

    Args:
        predictions: The predictions of a split.
        split: The name of the split.
        read: Reads the image at a path as (H, W) uint8; a gray field stands for an image that
            cannot be read.
    """
    shown = confident_errors(predictions)
    if not shown:
        return None
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = style.new_figure(max(2.7 * columns, 5.4), 3.2 * rows + 0.5)
    wrong = int((predictions.predicted != predictions.targets).sum())
    counts = f"{len(shown)} of {wrong:,} errors, n = {len(predictions.paths):,}"
    title = f"Most confident errors, {split} ({counts})"
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
    predicted = predictions.predicted[index]
    probability = predictions.probabilities[index, predicted]
    truth, label = predictions.classes[predictions.targets[index]], predictions.labels[index]
    if label.casefold() != truth.casefold():
        truth = f"{truth} ({label})"
    name = style.shortened(Path(predictions.paths[index]).name, _NAME_LENGTH)
    lines = [
        f"true: {truth}",
        f"predicted: {predictions.classes[predicted]}, p = {probability:.3f}",
        name,
    ]
    axes.set_title(
        "\n".join(lines), fontsize=style.TICK, color=style.INK, loc="left", parse_math=False
    )


def explain_failures(
    run: Path,
    split: str,
    model: "XrayClassifier",
    dataset: "SplitDataset",
    *,
    method: str,
    device: "torch.device | str",
) -> int:
    """Draw the heatmaps of the most confident errors into gradcam/<split>/failures/.

    Args:
        run: The run directory, which contains the predictions of the split and their threshold.
        split: The name of the split.
        model: The classifier that made the predictions, on `device`.
        dataset: The images of the split; errors on other images are skipped.
        method: A key of `xray.saliency.methods.METHODS`.
        device: The device of the model.

    Returns:
        The number of heatmaps; 0 if the split was not predicted.
    """
    from xray.saliency.gallery import explain_samples, lesion_mask, write_gallery

    predictions = RunFiles(run).predictions(split)
    if predictions is None:
        return 0
    chosen = _find_errors(predictions, dataset)
    drawn = explain_samples(
        model,
        dataset.samples,
        dataset.pixels,
        list(chosen),
        method=method,
        device=device,
        mask=partial(lesion_mask, root=dataset.root),
        predicted=list(chosen.values()),
    )
    write_gallery(run / layout.failures(split), drawn)
    return len(chosen)


def _find_errors(predictions: Predictions, dataset: "SplitDataset") -> dict[int, int]:
    """Return the most confident errors: position in the dataset -> index of the predicted class."""
    positions = {str(sample.path.absolute()): i for i, sample in enumerate(dataset.samples)}
    errors = [i for i in confident_errors(predictions) if predictions.paths[i] in positions]
    return {positions[predictions.paths[i]]: int(predictions.predicted[i]) for i in errors}
