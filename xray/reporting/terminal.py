"""Tables on the terminal: results of a run, jobs of a sweep, rows of a measurement."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xray.evaluation.summary import SOURCE_SCORES
from xray.files import save_rows
from xray.reporting.cells import UNDEFINED, estimate_text, number_text
from xray.reporting.metric_names import metric_name
from xray.stats.scores import BINARY

DECISIONS = ("sensitivity", "specificity", "ppv", "npv")
INTERVALS = "95 % confidence intervals: bootstrap over patients"
_INTERVALS = {"value": ("low", "high"), "difference": ("difference_low", "difference_high")}


@dataclass(frozen=True)
class SweepRow:
    """One job of a sweep.

    Attributes:
        overrides: The overrides that differ between the jobs ("optim.lr=1e-3").
        value: The monitored metric; None if the job failed.
        metrics: Further metrics to show, by name.
        run: The name of the run directory.
        status: "finished", or what went wrong.
    """

    overrides: list[str]
    value: float | None
    metrics: dict[str, float | None]
    run: str
    status: str

    @property
    def failed(self) -> bool:
        """Whether the job has no finite value of the monitored metric."""
        return self.value is None or not math.isfinite(self.value)


def metrics_table(metrics: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the table of metrics.json: one row per metric, one column per split.

    Args:
        metrics: Split -> the result of `xray.evaluation.summary.summarize`. The first split
            defines the rows; a metric that another split lacks is "-".
    """
    first = next(iter(metrics.values()))
    keys = [key for key, entry in first.items() if _is_metric(entry)]
    table = Table(
        title="Results", caption=_captions(metrics), title_justify="left", caption_justify="left"
    )
    table.add_column("metric", min_width=12)
    for split in metrics:
        table.add_column(split, justify="right", min_width=10)
    table.add_row("images", *(f"{entry['n']:,}" for entry in metrics.values()))
    patients = (f"{entry['patients']:,}" for entry in metrics.values())
    table.add_row("patients", *patients, end_section=True)
    for key in keys:
        found = (entry.get(key) for entry in metrics.values())
        cells = (estimate_text(e if _is_metric(e) else {}) for e in found)
        table.add_row(metric_name(key, len(first["classes"])), *cells)
    return table


def operating_table(points: Sequence[Mapping[str, Any]], split: str) -> Table:
    """Return the table of operating points: one row per rule.

    Args:
        points: The result of `xray.evaluation.thresholds.operating_points`.
        split: The split that they are evaluated on.
    """
    table = Table(title=f"Operating points on {split}, chosen on val", title_justify="left")
    table.add_column("rule")
    for name in ("threshold", *DECISIONS):
        table.add_column(metric_name(name), justify="right")
    for point in points:
        cells = [estimate_text(point.get(name)) for name in DECISIONS]
        table.add_row(point["rule"], number_text(point["threshold"], 4), *cells)
    return table


def source_table(sources: Mapping[str, Mapping[str, Any]], split: str) -> Table:
    """Return the table of results by source dataset: one row per source.

    Args:
        sources: The result of `xray.evaluation.summary.summarize_sources`.
        split: The split of the images.
    """
    table = Table(title=f"Results by source, {split}", title_justify="left")
    table.add_column("source", overflow="fold")
    table.add_column("images", justify="right")
    for name in SOURCE_SCORES:
        table.add_column(metric_name(name), justify="right")
    for name, entry in sources.items():
        estimates = (estimate_text(entry[score]) for score in SOURCE_SCORES)
        table.add_row(Text(name), f"{entry['n']:,}", *estimates)
    return table


def ranked(rows: Sequence[SweepRow], mode: str) -> list[SweepRow]:
    """Sort jobs by the monitored metric, best first and failed jobs last.

    Args:
        rows: The jobs.
        mode: "max" if a higher value is better, "min" if a lower one is.
    """
    sign = -1 if mode == "max" else 1
    return sorted(rows, key=lambda row: math.inf if row.failed else sign * (row.value or 0.0))


def sweep_table(rows: Sequence[SweepRow], metric: str, mode: str) -> Table:
    """Return the table of a sweep: one row per job, best first, one column per override.

    Args:
        rows: The jobs.
        metric: The monitored metric.
        mode: "max" or "min", as for `ranked`.
    """
    settings = [dict(override.partition("=")[::2] for override in row.overrides) for row in rows]
    keys = list(dict.fromkeys(key for setting in settings for key in setting))
    others = list(dict.fromkeys(name for row in rows for name in row.metrics))
    done = sum(not row.failed for row in rows)
    title = f"Sweep by {metric} ({mode}): {done} of {len(rows)} jobs finished"
    table = Table(title=Text(title), title_justify="left")
    table.add_column("#", justify="right")
    for name in (*keys, metric, *others):
        table.add_column(Text(name), justify="right", overflow="fold")
    table.add_column("run", overflow="fold")
    table.add_column("status", overflow="fold")
    for rank, row in enumerate(ranked(rows, mode), start=1):
        setting = dict(override.partition("=")[::2] for override in row.overrides)
        cells = [setting.get(key, "") for key in keys]
        values = (row.value, *(row.metrics.get(name) for name in others))
        cells += [number_text(value, 4) for value in values]
        number = UNDEFINED if row.failed else str(rank)
        style = "red" if row.failed else "bold green" if rank == 1 else ""
        table.add_row(number, *(Text(cell) for cell in (*cells, row.run, row.status)), style=style)
    return table


def write_rows(
    path: Path, title: str, note: str, rows: Sequence[Mapping[str, Any]], console: Console
) -> None:
    """Write title, note and rows to a JSON file, and the rows to a CSV file; print a table.

    Args:
        path: The JSON file.
        title: The title of the table.
        note: How to read the numbers; shown below the table.
        rows: Flat rows; the interval of "value" is in "low" and "high", the interval of
            "difference" in "difference_low" and "difference_high".
        console: The terminal that shows the table.
    """
    columns = save_rows(path, title, note, rows)
    table = Table(title=Text(title), caption=Text(note), title_justify="left")
    shown = [name for name in columns if not name.endswith(("low", "high"))]
    for name in shown:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row_cell(row, name)) for name in shown))
    console.print(table)
    console.print(f"written: {path}", soft_wrap=True, markup=False, highlight=False)


def row_cell(row: Mapping[str, Any], name: str) -> str:
    """Return the cell of a column; values and differences include their interval."""
    value = row.get(name)
    if name in _INTERVALS:
        low, high = (row.get(end) for end in _INTERVALS[name])
        return estimate_text({"value": value, "low": low, "high": high})
    if isinstance(value, Mapping | float | None):
        return estimate_text(value)
    if name == "measure":
        return metric_name(str(value))
    return str(value)


def absence(names: Sequence[str]) -> str:
    """Return the sentence that explains undefined metrics of classes without images."""
    quoted = ", ".join(f'"{name}"' for name in names)
    noun = "class" if len(names) == 1 else "classes"
    return f'No images of {noun} {quoted}: metrics marked "{UNDEFINED}" are undefined.'


def _is_metric(entry: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(entry, Mapping) and "value" in entry


def _captions(metrics: Mapping[str, Mapping[str, Any]]) -> Text:
    """Return one caption if it holds for all columns, otherwise one per column."""
    found = {split: _caption(entry) for split, entry in metrics.items()}
    if len(set(found.values())) == 1:
        return Text(next(iter(found.values())))
    return Text("\n".join(f"{split}: {caption}" for split, caption in found.items()))


def _caption(summary: Mapping[str, Any]) -> str:
    lines = []
    if summary["threshold"] is not None:
        positive = summary["classes"][BINARY - 1]
        above = f"predicted if its probability is above {summary['threshold']:.4g}"
        lines.append(f"positive class: {positive}, {above}")
    else:
        lines.append("(macro): unweighted mean over the classes, each against the rest")
    lines += [INTERVALS, f"split verdict: {summary['verdict']}"]
    if summary.get("absent"):
        lines.append(absence(summary["absent"]))
    return "\n".join(lines)
