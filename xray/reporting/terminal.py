"""What is shown at the end of a run or a sweep."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from rich.table import Table
from rich.text import Text

from xray.evaluation.by_source import SCORES

_UNDEFINED = "-"
_DECISIONS = ("sensitivity", "specificity", "ppv", "npv")


@dataclass(frozen=True)
class SweepRow:
    """One job of a sweep.

    Attributes:
        overrides: What sets it apart ("optim.lr=1e-3").
        value: The metric that the sweep goes by; None where the job failed.
        metrics: Further metrics worth a column, by name.
        run: Its run directory.
        status: "finished", or what went wrong.
    """

    overrides: list[str]
    value: float | None
    metrics: dict[str, float | None]
    run: str
    status: str

    @property
    def failed(self) -> bool:
        """Whether the job has no value to go by."""
        return self.value is None or not math.isfinite(self.value)


def metrics_table(metrics: Mapping[str, Mapping[str, Any]]) -> Table:
    """Lay out metrics.json: a column a split, a row a metric.

    Args:
        metrics: What `xray.evaluation.summary.summarise` gives, by split; rows are those of the
            first, and what another lacks is a dash.
    """
    first = next(iter(metrics.values()))
    names = [name for name, entry in first.items() if _is_metric(entry)]
    table = Table(
        title="Results", caption=_captions(metrics), title_justify="left", caption_justify="left"
    )
    table.add_column("", min_width=12)
    for split in metrics:
        table.add_column(split, justify="right", min_width=10)
    table.add_row("images", *(f"{entry['n']:,}" for entry in metrics.values()))
    patients = (f"{entry['patients']:,}" for entry in metrics.values())
    table.add_row("patients", *patients, end_section=True)
    for name in names:
        found = (entry.get(name) for entry in metrics.values())
        table.add_row(name, *(estimate_text(e if _is_metric(e) else {}) for e in found))
    return table


def operating_table(points: Sequence[Mapping[str, Any]], split: str) -> Table:
    """Lay out operating points: a row each, thresholds chosen on validation.

    Args:
        points: What `xray.evaluation.thresholds.operating_points` gives.
        split: Where they are measured.
    """
    table = Table(title=f"Operating points on {split}, chosen on val", title_justify="left")
    table.add_column("rule")
    for name in ("threshold", *_DECISIONS):
        table.add_column(name, justify="right")
    for point in points:
        measured = [
            estimate_text(point[name]) if name in point else _UNDEFINED for name in _DECISIONS
        ]
        table.add_row(point["rule"], _number(point["threshold"]), *measured)
    return table


def source_table(sources: Mapping[str, Mapping[str, Any]], split: str) -> Table:
    """Lay out what each source's images gave: a row each.

    Args:
        sources: What `xray.evaluation.by_source.per_source` gives.
        split: Where they are.
    """
    table = Table(title=f"By source, on {split}", title_justify="left")
    table.add_column("source", overflow="fold")
    for name in ("images", *SCORES):
        table.add_column(name, justify="right")
    for name, entry in sources.items():
        estimates = (estimate_text(entry[score]) for score in SCORES)
        table.add_row(Text(name), f"{entry['n']:,}", *estimates)
    return table


def ranked(rows: Sequence[SweepRow], mode: str) -> list[SweepRow]:
    """Sort jobs, best first and failed last.

    Args:
        rows: The jobs.
        mode: "max" where a higher value is better, "min" where a lower one is.
    """
    sign = -1 if mode == "max" else 1
    return sorted(rows, key=lambda row: math.inf if row.failed else sign * (row.value or 0.0))


def sweep_table(rows: Sequence[SweepRow], metric: str, mode: str) -> Table:
    """Lay out a sweep's jobs: a column an override, best first, failed last.

    Args:
        rows: The jobs.
        metric: Name of the value that they are ranked by.
        mode: As for `ranked`.
    """
    settings = [dict(override.partition("=")[::2] for override in row.overrides) for row in rows]
    keys = list(dict.fromkeys(key for setting in settings for key in setting))
    others = list(dict.fromkeys(name for row in rows for name in row.metrics))
    done = sum(not row.failed for row in rows)
    title = f"Sweep by {metric} ({mode}): {done} of {len(rows)} jobs finished"
    table = Table(title=Text(title), title_justify="left")
    table.add_column("", justify="right")
    for name in (*keys, metric, *others):
        table.add_column(Text(name), justify="right", overflow="fold")
    table.add_column("run", overflow="fold")
    table.add_column("status", overflow="fold")
    for rank, row in enumerate(ranked(rows, mode), start=1):
        setting = dict(override.partition("=")[::2] for override in row.overrides)
        cells = [setting.get(key, "") for key in keys]
        cells += [_number(row.value), *(_number(row.metrics.get(name)) for name in others)]
        number = _UNDEFINED if row.failed else str(rank)
        look = "red" if row.failed else "bold green" if rank == 1 else ""
        table.add_row(number, *(Text(cell) for cell in (*cells, row.run, row.status)), style=look)
    return table


def _is_metric(entry: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(entry, Mapping) and "value" in entry


def estimate_text(entry: Mapping[str, Any]) -> str:
    """Write a figure and its interval: 0.955 [0.938, 0.970]."""
    value, low, high = (entry.get(name) for name in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return _UNDEFINED if value is None else f"{value:.3f}"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _number(value: float | None) -> str:
    return f"{value:.4f}" if value is not None and math.isfinite(value) else _UNDEFINED


def _captions(metrics: Mapping[str, Mapping[str, Any]]) -> Text:
    """Say once what holds of all columns, or of each what holds of it."""
    found = {split: _caption(entry) for split, entry in metrics.items()}
    if len(set(found.values())) == 1:
        return Text(next(iter(found.values())))
    return Text("\n".join(f"{split}: {caption}" for split, caption in found.items()))


def _caption(summary: Mapping[str, Any]) -> str:
    *_, positive = summary["classes"]
    lines = [f"95 % intervals: bootstrap over patients; split: {summary['verdict']}"]
    if summary["threshold"] is None:
        lines.insert(0, "each class against the rest, unweighted mean; accuracy: over images")
    else:
        above = f"above a probability of {summary['threshold']:.4g}"
        lines.insert(0, f"positive: {positive}, {above}")
    if summary.get("absent"):
        lines.append(absence(summary["absent"]))
    return "\n".join(lines)


def absence(names: Sequence[str]) -> str:
    """Say why metrics are undefined where classes have no image."""
    return f"no image of {', '.join(names)}, which leaves undefined what shows a dash"
