"""What a finished run left in its directory, as far as it is there."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from xray.runs.predictions import Predictions
from xray.runs.store import threshold_in

FAILURES = "failures"
"""Folder of the overlays of mistakes, in a split's gallery."""
Table = list[dict[str, str]]
"""The lines of a CSV file, by column."""


@dataclass(frozen=True)
class RunFiles:
    """A run directory, read. A part that is missing or damaged is empty.

    Attributes:
        directory: The run directory.
        config: What was asked, interpolations as they were written; model.weights is what the
            network really started from, where the run noted it.
        environment: environment.json.
        data: data.json.
        metrics: metrics.json.
        curves: metrics.csv.
        overlays: Split -> its gradcam/<split>/index.csv.
        failures: Split -> its gradcam/<split>/failures/index.csv.
        measured: shortcuts.json and gradcam/<split>/scorecard.json, by path.
        external: Folder below external/ -> its metrics.json.
    """

    directory: Path
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    data: Mapping[str, Any]
    metrics: Mapping[str, Any]
    curves: Table
    overlays: Mapping[str, Table]
    failures: Mapping[str, Table]
    measured: Mapping[Path, Mapping[str, Any]]
    external: Mapping[str, Mapping[str, Any]]

    @property
    def split(self) -> str | None:
        """The split that the headline is of: test, or val where nothing was tested."""
        return next((split for split in ("test", "val") if self.metrics.get(split)), None)

    @property
    def certificate(self) -> Mapping[str, Any]:
        """What the split is worth; empty in runs of before it was recorded in full."""
        found = self.data.get("audit")
        return found if isinstance(found, dict) else {}

    def predictions(self, split: str) -> Predictions | None:
        """Read what was predicted of a split, by its threshold; None where there is no file."""
        path = self.directory / "predictions" / f"{split}.csv"
        if not path.is_file():
            return None
        return replace(
            Predictions.from_csv(path), threshold=threshold_in(self.metrics.get(split) or {})
        )


def read_run(run: Path) -> RunFiles:
    """Read a run directory."""
    measured = sorted({*run.rglob("scorecard.json"), *run.rglob("shortcuts.json")})
    external = {
        path.parent.name: read_mapping(path) for path in sorted(run.glob("external/*/metrics.json"))
    }
    environment = read_mapping(run / "environment.json")
    return RunFiles(
        directory=run,
        config=_started_from(read_mapping(run / ".hydra" / "config.yaml"), environment),
        environment=environment,
        data=read_mapping(run / "data.json"),
        metrics=read_mapping(run / "metrics.json"),
        curves=read_table(run / "metrics.csv"),
        overlays=_galleries(run, "{}"),
        failures=_galleries(run, f"{{}}/{FAILURES}"),
        measured={path: read_mapping(path) for path in measured},
        external=external,
    )


def _galleries(run: Path, folder: str) -> dict[str, Table]:
    """Read the index of each split's gallery, where there is one."""
    found = {
        split: read_table(run / "gradcam" / folder.format(split) / "index.csv") for split in _SPLITS
    }
    return {split: rows for split, rows in found.items() if rows}


def _started_from(config: Mapping[str, Any], environment: Mapping[str, Any]) -> Mapping[str, Any]:
    model = config.get("model")
    if not isinstance(model, dict) or "weights" not in environment:
        return config
    return {**config, "model": {**model, "weights": environment["weights"]}}


def read_mapping(path: Path) -> Mapping[str, Any]:
    """Read a JSON or YAML file; empty where it is missing, damaged or no mapping."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def read_table(path: Path) -> Table:
    """Read a CSV file; empty where it is missing."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


_SPLITS = ("test", "val", "train")
