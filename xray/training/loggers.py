"""Learning curves in one CSV file, which a resumed run continues."""

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.csv_logs import _ExperimentWriter
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers.csv_logs import CSVLogger, ExperimentWriter

from xray.files import replacing


class _AppendingWriter(ExperimentWriter):
    """Append to an existing file instead of deleting it."""

    def _check_log_dir_exists(self) -> None:
        path = Path(self.metrics_file_path)
        if path.exists():
            with path.open(newline="") as file:
                self.metrics_keys = list(csv.DictReader(file).fieldnames or [])


class RunCSVLogger(CSVLogger):
    """Lightning's CSV logger, with `metrics.csv` in the run directory itself.

    Args:
        save_dir: The run directory.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir, name="", version="", flush_logs_every_n_steps=1)

    @property
    @rank_zero_experiment
    def experiment(self) -> _ExperimentWriter:
        """The writer, created at the first access."""
        if self._experiment is None:
            self._experiment = _AppendingWriter(log_dir=self.save_dir)
        return self._experiment

    def log_hyperparams(self, params: dict[str, Any] | Namespace | None = None) -> None:
        """Write nothing: the configuration is stored in .hydra/."""


def drop_rows_after(path: Path, step: int) -> None:
    """Remove the rows logged after the last checkpoint; the resumed run logs them again.

    Args:
        path: A `metrics.csv`; it may be missing.
        step: Global step of the checkpoint; steps are counted from 0.
    """
    if not path.exists():
        return
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        fields, rows = list(reader.fieldnames or []), list(reader)
    with replacing(path) as new, new.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(row for row in rows if int(row["step"]) < step)
