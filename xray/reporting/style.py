"""How every figure looks. Figures are made without pyplot, so that nothing global is touched."""

from collections.abc import Iterator
from itertools import cycle as _repeat
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe & Ito: told apart with any colour vision. https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, MUTED, HAIRLINE = "#222222", "#767676", "#DDDDDD"
# Font sizes in points.
TITLE, LABEL, TICK = 13, 11, 10
DPI = 150

Location = Literal["best", "lower left", "lower right", "upper left"]


def cycle() -> Iterator[str]:
    """Give the colours in turn, without an end."""
    return _repeat(COLOURS)


def new_figure(width: float = 5.6, height: float = 5.6) -> Figure:
    """Make an empty figure of a size in inches."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")


def dress(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    """Give axes their titles, taken literally, a light grid and no box."""
    axes.set_title(title, fontsize=TITLE, color=INK, loc="left", pad=10, parse_math=False)
    axes.set_xlabel(xlabel, fontsize=LABEL, color=INK, parse_math=False)
    axes.set_ylabel(ylabel, fontsize=LABEL, color=INK, parse_math=False)
    axes.tick_params(labelsize=TICK, labelcolor=INK, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.grid(color=HAIRLINE, linewidth=0.8)
    axes.set_axisbelow(True)


def add_legend(axes: Axes, location: Location) -> None:
    """Name the lines; the names are taken literally."""
    legend = axes.legend(loc=location, fontsize=TICK, framealpha=0.9, edgecolor=HAIRLINE)
    for text in legend.get_texts():
        text.set_parse_math(False)


def shortened(name: str, length: int) -> str:
    """Leave out the middle of a name that is longer."""
    return name if len(name) <= length else f"{name[: length // 2]}…{name[-length // 2 :]}"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, making its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
