"""The files of a run directory."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from xray.errors import RunError
from xray.runs import layout
from xray.runs.predictions import Predictions
from xray.runs.reading import Table, read_mapping, read_table
from xray.stats.rule import EVEN

Content = TypeVar("Content")

_SPLITS = ("test", "val", "train")


class RunFiles:
    """Reads the files of a run directory when they are first needed.

    A missing file is empty. A damaged file is a `RunError`, or, for a report, a line in `damaged`.

    Args:
        directory: The run directory.
        tolerant: Whether damaged files are treated as missing and listed in `damaged`.

    Attributes:
        directory: The run directory.
        damaged: Messages about damaged files that were treated as missing.
    """

    def __init__(self, directory: Path, *, tolerant: bool = False) -> None:
        self.directory = directory
        self.damaged: list[str] = []
        self._tolerant = tolerant

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The configuration with unresolved interpolations.

        `model.weights` is the source of the initial weights, if the run recorded it.
        """
        config = self._mapping(layout.CONFIG)
        model = config.get("model")
        if not isinstance(model, dict) or "weights" not in self.environment:
            return config
        return {**config, "model": {**model, "weights": self.environment["weights"]}}

    @cached_property
    def environment(self) -> Mapping[str, Any]:
        """Versions, machine, seed and command line."""
        return self._mapping(layout.ENVIRONMENT)

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """Classes, counts and hashes of each split, and the result of the audit."""
        return self._mapping(layout.DATA)

    @cached_property
    def metrics(self) -> Mapping[str, Any]:
        """Metrics by split."""
        return self._mapping(layout.METRICS)

    @cached_property
    def operating_points(self) -> Mapping[str, Any]:
        """Thresholds and temperature fitted on the validation split."""
        return self._mapping(layout.OPERATING_POINTS)

    @cached_property
    def curves(self) -> Table:
        """Metrics by epoch."""
        return self._table(layout.CURVES)

    @cached_property
    def overlays(self) -> Mapping[str, Table]:
        """Index of the Grad-CAM gallery, by split."""
        return self._galleries(layout.gallery)

    @cached_property
    def failures(self) -> Mapping[str, Table]:
        """Index of the overlays of confident errors, by split."""
        return self._galleries(layout.failures)

    @cached_property
    def measured(self) -> Mapping[Path, Mapping[str, Any]]:
        """Scores of heatmaps and the shortcut test, by path."""
        scorecards = self.directory.rglob(layout.SCORECARD)
        shortcuts = self.directory.rglob(layout.SHORTCUTS.name)
        names = (path.relative_to(self.directory) for path in sorted({*scorecards, *shortcuts}))
        return {self.directory / name: self._mapping(name) for name in names}

    @cached_property
    def external(self) -> Mapping[str, Mapping[str, Any]]:
        """Metrics of each evaluation on another dataset, by folder name."""
        folders = (self.directory / layout.EXTERNAL).glob(f"*/{layout.METRICS}")
        names = (path.parent.name for path in sorted(folders))
        return {name: self._mapping(layout.EXTERNAL / name / layout.METRICS) for name in names}

    @property
    def split(self) -> str | None:
        """The split of the headline metrics: test if it was evaluated, otherwise val, or None."""
        return next((split for split in ("test", "val") if self.metrics.get(split)), None)

    @property
    def certificate(self) -> Mapping[str, Any]:
        """Result of the audit; empty in older runs without a complete record."""
        found = self.data.get("audit")
        return found if isinstance(found, dict) else {}

    @property
    def compute(self) -> Mapping[str, Any]:
        """Recorded precision, memory layout and threads; empty if they were not recorded."""
        found = self.environment.get("compute")
        return found if isinstance(found, dict) else {}

    @property
    def threshold(self) -> float:
        """Threshold of the headline metrics; 0.5 if none is recorded, as with three classes."""
        return threshold_in(self.metrics.get(self.split or "") or {})

    def predictions(self, split: str) -> Predictions | None:
        """Read the predictions of a split with its recorded threshold.

        Returns:
            None if the split was not predicted.

        Raises:
            RunError: The file is damaged.
        """
        name = layout.predictions(split)
        if not (self.directory / name).is_file():
            return None
        found = self._read(lambda: Predictions.from_csv(self._inside(name)), None)
        threshold = threshold_in(self.metrics.get(split) or {})
        return found and replace(found, threshold=threshold)

    def _mapping(self, name: Path) -> Mapping[str, Any]:
        return self._read(lambda: read_mapping(self._inside(name)), {})

    def _table(self, name: Path) -> Table:
        return self._read(lambda: read_table(self._inside(name)), [])

    def _inside(self, name: Path) -> Path:
        """Return the path of a file, or raise an error if it is a link to a file elsewhere."""
        path = self.directory / name
        if not path.resolve().is_relative_to(self.directory.resolve()):
            raise RunError(f"{path} is a link out of the run directory. Replace it by a copy.")
        return path

    def _galleries(self, folder: Callable[[str], Path]) -> dict[str, Table]:
        found = {split: self._table(folder(split) / layout.GALLERY_INDEX) for split in _SPLITS}
        return {split: rows for split, rows in found.items() if rows}

    def _read(self, read: Callable[[], Content], empty: Content) -> Content:
        try:
            return read()
        except RunError as error:
            if not self._tolerant:
                raise
            self.damaged.append(str(error))
            return empty


def read_run(run: Path) -> RunFiles:
    """Open a run directory for a report, which lists damaged files instead of failing."""
    return RunFiles(run, tolerant=True)


def threshold_in(entry: Mapping[str, Any]) -> float:
    """Return the threshold in a split's metrics; 0.5 if none is recorded, as with three classes."""
    value = entry.get("threshold")
    return EVEN if value is None else float(value)
