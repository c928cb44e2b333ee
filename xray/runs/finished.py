"""Finished runs as their directories tell: predictions, metrics, configuration."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from xray.errors import RunError
from xray.runs.predictions import Predictions
from xray.runs.store import CONFIG, METRICS, read_json, threshold_in

PREDICTIONS = Path("predictions") / "test.csv"
_REPEATED = ("seed", "tag", "resume", "paths", "fold")
_REPEATED_DATA = ("seed", "split_seed", "fold")


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A tested run.

    Attributes:
        name: What tells it from the runs beside it: the end of its path.
        directory: Where it is.
        predictions: Of its test images, by path; decided as its metrics.json says.
        metrics: metrics.json's entry for them.
        settings: Its configuration without what repeats of one experiment differ in, as text.
    """

    name: str
    directory: Path
    predictions: Predictions
    metrics: dict[str, Any]
    settings: str


def read_runs(directories: Sequence[Path]) -> list[FinishedRun]:
    """Read tested runs.

    Args:
        directories: Of the runs, each another.

    Raises:
        RunError: One is missing, was not tested, or is damaged.
    """
    names = _names([directory.resolve() for directory in directories])
    return [_read(directory, name) for directory, name in zip(directories, names, strict=True)]


def sweep_directories(sweep: Path) -> list[Path]:
    """List the jobs of a sweep that were tested, by number.

    Raises:
        RunError: There are fewer than two.
    """
    jobs = [path.parent.parent for path in sweep.glob(f"*/{PREDICTIONS}")]
    tested = sorted((job for job in jobs if job.name.isdigit()), key=lambda job: int(job.name))
    if len(tested) > 1:
        return tested
    found = f"sweep={sweep} holds {len(tested)} tested jobs, and two are needed"
    raise RunError(f"{found}. Name a directory outputs/multirun/<time>_<tag>, or give runs=[...].")


def difference_of_sets(one: FinishedRun, other: FinishedRun) -> str | None:
    """Say in what the test images of two runs differ; None where they are the same."""
    first, second = one.predictions, other.predictions
    if first.classes != second.classes:
        return f"other classes: {', '.join(first.classes)}, and {', '.join(second.classes)}"
    shared = set(first.paths) & set(second.paths)
    lone = [p for p in (*first.paths, *second.paths) if p not in shared]
    if lone:
        counts = len(first.paths) - len(shared), len(second.paths) - len(shared)
        said = f"{counts[0]} test images are only in {one.name}, {counts[1]} only in {other.name}"
        return f"{said}, such as {lone[0]}"
    for what, left, right in (
        ("class", first.targets.tolist(), second.targets.tolist()),
        ("patient", first.patients, second.patients),
    ):
        unlike = [k for k, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
        if unlike:
            example = first.paths[unlike[0]]
            return f"{len(unlike)} test images have another {what}, such as {example}"
    return None


def repeats(runs: Sequence[FinishedRun]) -> list[list[FinishedRun]]:
    """Group the runs that differ only in seed or fold; groups of two or more."""
    groups: dict[str, list[FinishedRun]] = defaultdict(list)
    for run in runs:
        groups[run.settings].append(run)
    return [group for group in groups.values() if len(group) > 1]


def _read(directory: Path, name: str) -> FinishedRun:
    missing = [part for part in (CONFIG, METRICS, PREDICTIONS) if not (directory / part).is_file()]
    if missing:
        advice = f"Test it with `python -m xray.evaluate run={directory}`, or leave it out."
        if CONFIG in missing:
            advice = "Name a directory that `python -m xray.train` wrote."
        raise RunError(f"{directory} lacks {', '.join(map(str, missing))}. {advice}")
    metrics = read_json(directory / METRICS)
    entry = metrics.get("test") if isinstance(metrics, dict) else None
    if not isinstance(entry, dict):
        advice = f"Write it with `python -m xray.evaluate run={directory}`."
        raise RunError(f"{directory / METRICS} has no test metrics. {advice}")
    predictions = _by_path(Predictions.from_csv(directory / PREDICTIONS))
    return FinishedRun(
        name=name,
        directory=directory,
        predictions=replace(predictions, threshold=threshold_in(entry)),
        metrics=entry,
        settings=_settings(directory / CONFIG),
    )


def _by_path(predictions: Predictions) -> Predictions:
    order = sorted(range(len(predictions.paths)), key=predictions.paths.__getitem__)
    places = np.array(order, dtype=np.int64)
    return replace(
        predictions,
        paths=[predictions.paths[k] for k in order],
        patients=[predictions.patients[k] for k in order],
        labels=[predictions.labels[k] for k in order],
        sources=[predictions.sources[k] for k in order] if predictions.sources else (),
        targets=predictions.targets[places],
        probabilities=predictions.probabilities[places],
    )


def _settings(path: Path) -> str:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path} cannot be read: {reason}. Leave that run out.") from error
    config = config if isinstance(config, dict) else {}
    kept = {key: value for key, value in config.items() if key not in _REPEATED}
    if isinstance(kept.get("data"), dict):
        kept["data"] = {k: v for k, v in kept["data"].items() if k not in _REPEATED_DATA}
    return json.dumps(kept, sort_keys=True, default=str)


def _names(directories: Sequence[Path]) -> list[str]:
    """Shorten paths to as many of their last parts as tell them apart."""
    longest = max((len(directory.parts) for directory in directories), default=1)
    for kept in range(1, longest + 1):
        names = [Path(*directory.parts[-kept:]).as_posix() for directory in directories]
        if len(set(names)) == len(names):
            return names
    raise RunError(f"{directories[0]} is given twice. Name each run once.")
