"""The sections of a report that a reader opens: all tables, training, data and environment."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from xray.reporting import run_sections
from xray.reporting.charts import CURVES, PREDICTIVE_VALUES
from xray.reporting.damage import Builder, section
from xray.reporting.embed import embed
from xray.reporting.explanation_tables import explanation_grids
from xray.reporting.metric_tables import (
    calibration_grid,
    class_grid,
    definitions,
    folder_grid,
    metric_grid,
    operating_grid,
    source_grid,
)
from xray.reporting.page import Block, Pictures, Section, Text
from xray.reporting.predictive_values import describe_predictive_values
from xray.runs import layout
from xray.runs.run import RunFiles

_CURVES_TEXT = "Learning curves: loss, validation metrics and learning rate by epoch."
_PREDICTIVE_TEXT = (
    "PPV and NPV at other prevalences, computed with Bayes' theorem from the sensitivity and "
    "specificity measured here, which may differ in another population. Bars: 95 % confidence "
    "intervals."
)
_PRECISION_TEXT = (
    "Precision-recall curve. Dashed line: prevalence, the precision of random decisions."
)


def detail_sections(run: RunFiles) -> list[Section]:
    """Return the sections that are collapsed on the screen; empty ones are left out."""
    split = run.split
    entry: Mapping[str, Any] = (run.metrics.get(split) or {}) if split else {}
    sections = [
        section("All metrics", *_metric_parts(run, entry)),
        section("Operating points and calibration", *_decision_parts(run, split, entry)),
        section("Other datasets", partial(_external, run)),
        section("Evaluation of the heatmaps", partial(_measured, run, layout.SCORECARD)),
        section("Shortcut audit", partial(_measured, run, layout.SHORTCUTS.name)),
        section("Training", partial(run_sections.training, run), partial(_curves, run)),
        section("Data", *(partial(part, run) for part in run_sections.DATA_PARTS)),
        section("Environment", partial(run_sections.environment, run)),
        Section("Definitions", [definitions()]),
    ]
    return [found for found in sections if found.blocks]


def _metric_parts(run: RunFiles, entry: Mapping[str, Any]) -> Iterator[Builder]:
    columns = {split: run.metrics[split] for split in ("test", "val") if run.metrics.get(split)}
    if columns:
        yield lambda: [metric_grid(columns, "Metrics by split")]
    for grid in (class_grid, folder_grid, source_grid):
        yield partial(grid, entry)


def _decision_parts(
    run: RunFiles, split: str | None, entry: Mapping[str, Any]
) -> Iterator[Builder]:
    yield partial(operating_grid, entry)
    if split:
        points: Sequence[Mapping[str, Any]] = entry.get("operating_points") or []
        name = PREDICTIVE_VALUES.format(split=split)
        yield lambda: _chart(run, name, _PREDICTIVE_TEXT, describe_predictive_values(points))
    yield partial(calibration_grid, entry)
    if split:
        yield partial(_chart, run, f"{split}_precision_recall", _PRECISION_TEXT, columns="two")


def _chart(
    run: RunFiles, name: str, caption: str, values: str = "", columns: Literal["one", "two"] = "one"
) -> Iterator[Block]:
    link = f"{layout.FIGURES}/{name}.png"
    if (run.directory / link).is_file():
        alt = f"{caption} {values}".strip()
        yield Pictures([embed(run.directory, link, alt, caption, chart=True)], columns, chart=True)


def _external(run: RunFiles) -> Iterator[Block]:
    """Yield the results on other datasets next to the run's own test."""
    for name, metrics in run.external.items():
        for split, entry in metrics.items():
            if isinstance(entry, Mapping):
                title = name.replace(layout.PRIOR_CORRECTED, ", corrected for other class shares")
                own = {"own test": found} if (found := run.metrics.get("test")) else {}
                yield metric_grid({split: entry, **own}, title)
                yield from source_grid(entry)


def _measured(run: RunFiles, name: str) -> Iterator[Block]:
    found = {path: content for path, content in run.measured.items() if path.name == name}
    for path, content in found.items():
        yield from explanation_grids(path, content)
    if not found:
        command = "xray.gradcam" if name == layout.SCORECARD else "xray.shortcuts"
        option = " scorecard=true" if name == layout.SCORECARD else ""
        subject = (
            "The heatmaps were not compared with masks or baselines."
            if option
            else "The run was not tested on images with hidden lungs, borders or corners."
        )
        yield Text(f"{subject} Run: python -m {command} run={run.directory}{option}")


def _curves(run: RunFiles) -> Iterator[Block]:
    yield from _chart(run, CURVES, _CURVES_TEXT)
