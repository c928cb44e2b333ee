"""Learning curves, from the metrics.csv of Lightning's CSV logger."""

import csv
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xray.errors import RunError
from xray.reporting import style
from xray.reporting.metric_names import metric_name

Series = dict[str, dict[int, float]]
"""Column of metrics.csv -> epoch -> value."""

_LOSSES = ("train/loss", "val/loss")
_SCORES = ("val/auroc", "val/auprc", "val/accuracy", "val/f1")
_RATE, _RATE_TITLE = "lr-", "Learning rate"
_ADVICE = "Remove the line or the file; only the learning curves are drawn from it."
_COLUMNS = 2
_PANEL = (4.6, 2.9)
"""Width and height of a panel in inches."""


def curves_figure(series: Series, best: int | None = None) -> Figure | None:
    """Draw the learning curves: one panel per metric, with the best epoch marked.

    Args:
        series: The result of `read_curves`.
        best: The epoch of the best checkpoint, or None if it is unknown.

    Returns:
        None if neither a loss, a validation metric nor a learning rate was logged.
    """
    panels = list(_panels(series))
    if not panels:
        return None
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = style.new_figure(_PANEL[0] * columns, _PANEL[1] * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes, (title, names) in zip(grid, panels, strict=False):
        _draw(axes, title, {label: series[name] for label, name in names.items()}, best)
    return figure


def _panels(series: Series) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the title of each panel, and its lines: label -> column."""
    losses = {name.partition("/")[0]: name for name in _LOSSES if name in series}
    if losses:
        yield "Loss", losses
    for name in _SCORES:
        if name in series:
            yield metric_name(name.removeprefix("val/")), {"val": name}
    rates = {name.removeprefix(_RATE): name for name in series if name.startswith(_RATE)}
    if rates:
        yield _RATE_TITLE, rates


def _draw(
    axes: Axes, title: str, lines: Mapping[str, Mapping[int, float]], best: int | None
) -> None:
    for (color, marker), (label, column) in zip(style.line_styles(), lines.items(), strict=False):
        epochs, values = list(column), list(column.values())
        axes.plot(epochs, values, color=color, linewidth=2, marker=marker, ms=4, label=label)
    if best is not None:
        label = f"best epoch ({best})"
        axes.axvline(best, color=style.MUTED, linestyle=":", linewidth=2, zorder=0, label=label)
    style.dress(axes, title, "epoch", "")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    shown = [value for column in lines.values() for value in column.values()]
    if title == _RATE_TITLE and max(shown) > min(shown) > 0:
        axes.set_yscale("log")
    elif title == _RATE_TITLE:
        axes.set_ylim(0, (1.2 * max(shown)) or 1)
    style.add_legend(axes, "best")


def best_epoch(series: Series, metric: str, mode: str) -> int | None:
    """Return the epoch of the best checkpoint: the best metric, then the lowest validation loss.

    Args:
        series: The result of `read_curves`.
        metric: The monitored metric ("val/auroc").
        mode: "max" or "min".

    Returns:
        None if the metric was not logged.
    """
    values, losses = series.get(metric, {}), series.get("val/loss", {})
    sign = -1 if mode == "max" else 1
    order = [(sign * value, losses.get(epoch, math.inf), epoch) for epoch, value in values.items()]
    return min(order)[2] if order else None


def read_curves(metrics_csv: Path) -> Series:
    """Read a metrics.csv: the mean of the finite values of each column in each epoch.

    The logger leaves most cells blank. Rows with learning rates lack the epoch; they belong to the
    first epoch whose last step is not before their own.

    Raises:
        RunError: The file cannot be read, or a cell is not a number; names file and line.
    """
    try:
        with metrics_csv.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = [_numbers(row, metrics_csv, reader.line_num) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{metrics_csv} cannot be read: {error}. {_ADVICE}") from error
    cells: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    ends = _last_steps(rows)
    for row in rows:
        epoch = _epoch(row, ends)
        if epoch is None:
            continue
        for name, value in row.items():
            if math.isfinite(value):
                cells[name][epoch].append(value)
    return {
        name: {epoch: sum(values) / len(values) for epoch, values in sorted(column.items())}
        for name, column in cells.items()
        if name not in {"epoch", "step"}
    }


def _numbers(row: Mapping[str, Any], path: Path, line: int) -> dict[str, float]:
    try:
        return {name: float(text) for name, text in row.items() if text}
    except (TypeError, ValueError) as error:
        raise RunError(f"{path}, line {line}: {error}. {_ADVICE}") from error


def _last_steps(rows: Sequence[Mapping[str, float]]) -> dict[int, float]:
    """Return the last step of each epoch, in order."""
    ends: dict[int, float] = {}
    for row in rows:
        if _is_epoch(row.get("epoch")) and "step" in row:
            epoch = int(row["epoch"])
            ends[epoch] = max(row["step"], ends.get(epoch, 0))
    return dict(sorted(ends.items()))


def _epoch(row: Mapping[str, float], ends: Mapping[int, float]) -> int | None:
    if "epoch" in row:
        return int(row["epoch"]) if _is_epoch(row["epoch"]) else None
    place = bisect_left(list(ends.values()), row.get("step", math.inf))
    return (*ends, None)[place]


def _is_epoch(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
