"""Draw the charts of a report that need only metrics.csv and metrics.json, not the images."""

import logging
from collections.abc import Mapping
from typing import Any

from xray.reporting.curves import best_epoch, curves_figure, read_curves
from xray.reporting.damage import DAMAGE
from xray.reporting.predictive_values import predictive_values_figure
from xray.reporting.style import save_figures
from xray.runs import layout
from xray.runs.run import RunFiles

log = logging.getLogger(__name__)

CURVES = "curves"
PREDICTIVE_VALUES = "{split}_predictive_values"


def draw_charts(run: RunFiles) -> None:
    """Write figures/curves.png and figures/<split>_predictive_values.png.

    A chart whose file is damaged is not drawn, and a warning is logged. Nothing is written if
    figures/ is a link that leads out of the run directory.
    """
    folder = (run.directory / layout.FIGURES).resolve()
    if not folder.is_relative_to(run.directory.resolve()):
        log.warning("%s leads out of the run directory: no charts are drawn.", folder)
        return
    for draw, source in ((_draw_curves, layout.CURVES), (_draw_predictive_values, layout.METRICS)):
        try:
            draw(run)
        except DAMAGE as error:
            log.warning("%s is damaged, its chart is not drawn: %s", run.directory / source, error)


def _draw_curves(run: RunFiles) -> None:
    log_file = run.directory / layout.CURVES
    if not log_file.is_file():
        return
    series = read_curves(log_file)
    monitor: Mapping[str, Any] = run.config.get("monitor") or {}
    best = best_epoch(series, str(monitor.get("metric")), str(monitor.get("mode", "max")))
    save_figures(run.directory, {CURVES: curves_figure(series, best)})


def _draw_predictive_values(run: RunFiles) -> None:
    split = run.split
    points = run.metrics[split].get("operating_points") if split else None
    if points:
        name = PREDICTIVE_VALUES.format(split=split)
        save_figures(run.directory, {name: predictive_values_figure(points)})
