"""PPV and NPV against the prevalence, for each operating point."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xray.reporting import style
from xray.reporting.cells import as_number, estimate_text, scalar_text
from xray.reporting.metric_names import metric_name

_VALUES = ("ppv", "npv")
_SPREAD = 0.5
"""Width of a group of points, relative to the distance between two prevalences."""
_PANEL = (4.6, 3.8)


def predictive_values_figure(points: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Draw PPV and NPV with 95 % confidence intervals against the prevalence.

    Args:
        points: "operating_points" of a split in metrics.json. Each has a "rule" and
            "at_prevalence": for each "prevalence" in [0, 1] the estimates "ppv" and "npv".

    Returns:
        None if no operating point has estimates.
    """
    known = [point for point in points if point.get("at_prevalence")]
    if not known:
        return None
    figure = style.new_figure(_PANEL[0] * len(_VALUES), _PANEL[1])
    shared = figure.subplots(1, len(_VALUES), sharey=True)
    for axes, name in zip(shared, _VALUES, strict=True):
        _draw(axes, name, known)
    handles, labels = shared[0].get_legend_handles_labels()
    legend = figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(len(labels), 5),
        fontsize=style.TICK,
        edgecolor=style.HAIRLINE,
        title="rule of the threshold",
        title_fontsize=style.TICK,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def describe_predictive_values(points: Sequence[Mapping[str, Any]]) -> str:
    """Return a sentence per prevalence with PPV and NPV at the first operating point."""
    known = next((point for point in points if point.get("at_prevalence")), None)
    if known is None:
        return ""
    parts = [
        f"at a prevalence of {place['prevalence']:.0%} PPV {estimate_text(place.get('ppv'))}, "
        f"NPV {estimate_text(place.get('npv'))}"
        for place in known["at_prevalence"]
    ]
    return f"With the rule {scalar_text(known.get('rule'))}: " + "; ".join(parts) + "."


def _draw(axes: Axes, name: str, points: Sequence[Mapping[str, Any]]) -> None:
    prevalences = [place["prevalence"] for place in points[0]["at_prevalence"]]
    step = _SPREAD / max(len(points) - 1, 1)
    for i, ((color, marker), point) in enumerate(zip(style.line_styles(), points, strict=False)):
        shift = (i - (len(points) - 1) / 2) * step
        for x, place in enumerate(point["at_prevalence"]):
            _draw_point(axes, x + shift, place.get(name) or {}, color, marker)
        label = style.shortened(scalar_text(point.get("rule")), 20)
        axes.plot([], [], color=color, marker=marker, linestyle="", label=label)
    axes.set_xticks(range(len(prevalences)), [f"{share:.0%}" for share in prevalences])
    axes.set_ylim(-0.02, 1.02)
    style.dress(axes, metric_name(name), "prevalence", "")
    axes.grid(visible=False, axis="x")


def _draw_point(axes: Axes, x: float, estimate: Mapping[str, Any], color: str, marker: str) -> None:
    value, low, high = (as_number(estimate.get(key)) for key in ("value", "low", "high"))
    if value is None:
        return
    if low is not None and high is not None:
        axes.plot([x, x], [low, high], color=color, linewidth=2)
    axes.plot([x], [value], color=color, marker=marker, markersize=6)
