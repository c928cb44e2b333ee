"""The course of a training, from the CSV that Lightning's logger writes."""

import csv
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xray.errors import RunError
from xray.reporting import style

# Of each column, by epoch.
Series = dict[str, dict[int, float]]

_LOSSES = ("train/loss", "val/loss")
_SCORES = ("val/auroc", "val/auprc", "val/accuracy", "val/f1")
_RATE = "lr-"


def curves_figure(metrics_csv: Path) -> Figure | None:
    """Draw loss, validation scores and learning rates by epoch, or nothing where none is logged.

    Args:
        metrics_csv: Lightning's metrics.csv.

    Raises:
        RunError: The file holds something other than numbers.
    """
    series = read_curves(metrics_csv)
    rates = [name for name in series if name.startswith(_RATE)]
    panels: list[tuple[str, list[str]]] = [
        ("Loss", [name for name in _LOSSES if name in series]),
        ("Validation", [name for name in _SCORES if name in series]),
        ("Learning rate", rates),
    ]
    panels = [(title, names) for title, names in panels if names]
    if not panels:
        return None
    figure = style.new_figure(4.6 * len(panels), 4.2)
    for axes, (title, names) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        for colour, name in zip(style.cycle(), names, strict=False):
            epochs, values = list(series[name]), list(series[name].values())
            label = name.removeprefix("val/") if names[0] in _SCORES else name.removeprefix(_RATE)
            axes.plot(epochs, values, color=colour, linewidth=2, marker="o", ms=4, label=label)
        style.dress(axes, title, "epoch", "")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.add_legend(axes, "best")
        if names == rates and all(value > 0 for name in rates for value in series[name].values()):
            axes.set_yscale("log")
    return figure


def read_curves(metrics_csv: Path) -> Series:
    """Read a metrics.csv into a series a column: the mean of its values in each epoch.

    The logger leaves most cells blank, with learning rates that of the epoch too: these belong to
    the epoch that ends at their step or next after it.

    Raises:
        RunError: A cell holds something other than a number; names file and line.
    """
    with metrics_csv.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = [_numbers(row, metrics_csv, reader.line_num) for row in reader]
    cells: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    ends = _last_steps(rows)
    for row in rows:
        epoch = _epoch(row, ends)
        if epoch is None:
            continue
        for name, value in row.items():
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
        advice = "Remove the file, or the line; only figures/curves.png is made from it."
        raise RunError(f"{path}, line {line}: {error}. {advice}") from error


def _last_steps(rows: Sequence[Mapping[str, float]]) -> dict[int, float]:
    """Give each epoch's last step, in order."""
    ends: dict[int, float] = {}
    for row in rows:
        if "epoch" in row and "step" in row:
            epoch = int(row["epoch"])
            ends[epoch] = max(row["step"], ends.get(epoch, 0))
    return dict(sorted(ends.items()))


def _epoch(row: Mapping[str, float], ends: Mapping[int, float]) -> int | None:
    if "epoch" in row:
        return int(row["epoch"])
    place = bisect_left(list(ends.values()), row.get("step", math.inf))
    return (*ends, None)[place]
