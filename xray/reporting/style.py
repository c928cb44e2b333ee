"""The style of all figures. Figures are made without pyplot, which would set global state."""

from collections.abc import Iterator, Mapping
from itertools import cycle as _repeat
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xray.files import replacing
from xray.runs import layout

# Okabe & Ito: distinguishable with any color vision. https://jfly.uni-koeln.de/color/
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK, MUTED, HAIRLINE = "#222222", "#767676", "#DDDDDD"
# Font sizes in points.
TITLE, LABEL, TICK = 13, 11, 10
SIDE = 4.4
"""Width and height of a single figure in inches; its text stays readable at 400 pixels."""
DPI = 200

Location = Literal["best", "lower left", "lower right", "upper left"]


def cycle() -> Iterator[str]:
    """Return the colors, repeated without end."""
    return _repeat(COLORS)


def line_styles() -> Iterator[tuple[str, str]]:
    """Return pairs of a color and a marker, repeated without end."""
    return _repeat(tuple(zip(COLORS, MARKERS, strict=True)))


def new_figure(width: float = SIDE, height: float = SIDE) -> Figure:
    """Return an empty figure of a size in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    figure.set_layout_engine("constrained", h_pad=0.09, w_pad=0.09)
    return figure


def dress(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    """Set titles without interpreting them as formulas, a light grid and no frame."""
    axes.set_title(title, fontsize=TITLE, color=INK, loc="left", pad=10, parse_math=False)
    axes.set_xlabel(xlabel, fontsize=LABEL, color=INK, parse_math=False)
    axes.set_ylabel(ylabel, fontsize=LABEL, color=INK, parse_math=False)
    axes.tick_params(labelsize=TICK, labelcolor=INK, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.grid(color=HAIRLINE, linewidth=0.8)
    axes.set_axisbelow(True)


def add_legend(axes: Axes, location: Location) -> None:
    """Add a legend whose labels are not interpreted as formulas."""
    legend = axes.legend(loc=location, fontsize=TICK, framealpha=0.9, edgecolor=HAIRLINE)
    for text in legend.get_texts():
        text.set_parse_math(False)


def shortened(name: str, length: int) -> str:
    """Replace the middle of a name that is longer than `length` characters by an ellipsis."""
    return name if len(name) <= length else f"{name[: length // 2]}…{name[-length // 2 :]}"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all; the directory is created if necessary."""
    with replacing(path) as part:
        figure.savefig(part, format="png")


def save_figures(run_dir: Path, figures: Mapping[str, Figure | None]) -> list[Path]:
    """Write figures as figures/<name>.png into a run directory; None is left out.

    Returns:
        The files written.
    """
    written = []
    for name, figure in figures.items():
        if figure is not None:
            written.append(run_dir / layout.FIGURES / f"{name}.png")
            save(figure, written[-1])
    return written
