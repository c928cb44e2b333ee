"""Tested runs that are to be compared: predictions, metrics and settings."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xray.errors import RunError
from xray.runs import layout
from xray.runs.predictions import Predictions
from xray.runs.run import RunFiles

_REQUIRED = (layout.CONFIG, layout.METRICS, layout.predictions("test"))
_REPEATED = ("seed", "tag", "resume", "paths", "fold")
_REPEATED_DATA = ("seed", "split_seed", "fold")


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A tested run.

    Attributes:
        name: The shortest end of its path that distinguishes it from the other runs.
        directory: The run directory.
        predictions: Predictions of the test images, sorted by path, with the run's threshold.
        metrics: Metrics of the test split.
        settings: The configuration as text, without the keys that differ between repetitions.
    """

    name: str
    directory: Path
    predictions: Predictions
    metrics: dict[str, Any]
    settings: str


def read_runs(directories: Sequence[Path]) -> list[FinishedRun]:
    """Read tested runs.

    Args:
        directories: Different run directories.

    Raises:
        RunError: A run is missing, was not tested, or is damaged.
    """
    names = _names([directory.resolve() for directory in directories])
    return [_read(directory, name) for directory, name in zip(directories, names, strict=True)]


def difference_of_sets(one: FinishedRun, other: FinishedRun) -> str | None:
    """Describe how the test images of two runs differ; None if they are the same."""
    first, second = one.predictions, other.predictions
    if first.classes != second.classes:
        return f"different classes: {', '.join(first.classes)}, and {', '.join(second.classes)}"
    shared = set(first.paths) & set(second.paths)
    unshared = [p for p in (*first.paths, *second.paths) if p not in shared]
    if unshared:
        counts = len(first.paths) - len(shared), len(second.paths) - len(shared)
        text = f"{counts[0]} test images are only in {one.name}, {counts[1]} only in {other.name}"
        return f"{text}, for example {unshared[0]}"
    for name, left, right in (
        ("class", first.targets.tolist(), second.targets.tolist()),
        ("patient", first.patients, second.patients),
    ):
        unequal = [k for k, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
        if unequal:
            example = first.paths[unequal[0]]
            return f"{len(unequal)} test images have a different {name}, for example {example}"
    return None


def repeats(runs: Sequence[FinishedRun]) -> list[list[FinishedRun]]:
    """Group the runs that differ only in seed or fold; groups of two or more."""
    groups: dict[str, list[FinishedRun]] = defaultdict(list)
    for run in runs:
        groups[run.settings].append(run)
    return [group for group in groups.values() if len(group) > 1]


def _read(directory: Path, name: str) -> FinishedRun:
    missing = [part for part in _REQUIRED if not (directory / part).is_file()]
    if missing:
        advice = f"Test it with `python -m xray.evaluate run={directory}`, or omit it."
        if layout.CONFIG in missing:
            advice = "Pass a directory that `python -m xray.train` wrote."
        raise RunError(f"{directory} has no {', no '.join(map(str, missing))}. {advice}")
    files = RunFiles(directory)
    metrics, predictions = files.metrics.get("test"), files.predictions("test")
    if not isinstance(metrics, dict) or predictions is None:
        advice = f"Write them with `python -m xray.evaluate run={directory}`."
        raise RunError(f"{directory / layout.METRICS} has no test metrics. {advice}")
    return FinishedRun(
        name=name,
        directory=directory,
        predictions=_by_path(predictions),
        metrics=metrics,
        settings=_settings(files.config),
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
        calibrated=None if predictions.calibrated is None else predictions.calibrated[places],
    )


def _settings(config: Mapping[str, Any]) -> str:
    settings = {key: value for key, value in config.items() if key not in _REPEATED}
    if isinstance(settings.get("data"), dict):
        data: Mapping[str, Any] = settings["data"]
        settings["data"] = {k: v for k, v in data.items() if k not in _REPEATED_DATA}
    return json.dumps(settings, sort_keys=True, default=str)


def _names(directories: Sequence[Path]) -> list[str]:
    """Shorten paths to the fewest last parts that distinguish them."""
    longest = max((len(directory.parts) for directory in directories), default=1)
    for count in range(1, longest + 1):
        names = [Path(*directory.parts[-count:]).as_posix() for directory in directories]
        if len(set(names)) == len(names):
            return names
    raise RunError(f"{directories[0]} was passed twice. Pass each run once.")
