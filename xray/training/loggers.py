"""The curves of a run as one CSV file that a resume goes on with."""

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.csv_logs import _ExperimentWriter
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers.csv_logs import CSVLogger, ExperimentWriter

from xray.files import replacing


class _AppendingWriter(ExperimentWriter):
    """Goes on with a file that is there, instead of deleting it."""

    def _check_log_dir_exists(self) -> None:
        path = Path(self.metrics_file_path)
        if path.exists():
            with path.open(newline="") as file:
                self.metrics_keys = list(csv.DictReader(file).fieldnames or [])


class RunCSVLogger(CSVLogger):
    """Lightning's CSV logger, writing `metrics.csv` straight into the run directory.

    Args:
        save_dir: The run directory.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir, name="", version="", flush_logs_every_n_steps=1)

    @property
    @rank_zero_experiment
    def experiment(self) -> _ExperimentWriter:
        """The writer, made when it is first asked for."""
        if self._experiment is None:
            self._experiment = _AppendingWriter(log_dir=self.save_dir)
        return self._experiment

    def log_hyperparams(self, params: dict[str, Any] | Namespace | None = None) -> None:
        """Write none: the run's configuration lies in .hydra/."""


def drop_rows_after(path: Path, step: int) -> None:
    """Drop what a stopped run logged after its last checkpoint, since a resume logs it again.

    Args:
        path: A `metrics.csv`; it need not exist.
        step: The checkpoint's global step; rows are numbered from 0.
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
