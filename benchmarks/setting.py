"""What a bench is run on, and whole processes of it."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setting:
    """The data and the length of every row.

    Attributes:
        root: Holds train/ and val/ with class folders.
        outputs: Scratch folder of the runs.
        epochs: Of each training.
        size: Side of the images, pixels.
        weights: As `model.weights`.
        pairs: How often each comparison is repeated; medians are kept.
    """

    root: Path
    outputs: Path
    epochs: int
    size: int
    weights: str
    pairs: int


@dataclass(frozen=True)
class Timed:
    """A process: its wall time, seconds, and the validation AUROC it ended with."""

    seconds: float
    auroc: float | None


def plain(setting: Setting, trainable: str) -> Timed:
    """Time the plain loop, from start-up on."""
    script = Path(__file__).with_name("plain_loop.py")
    arguments = [str(setting.root), str(setting.epochs), str(setting.size), trainable]
    seconds, printed = _process(str(script), *arguments)
    return Timed(seconds, json.loads(printed.splitlines()[-1])["auroc"])


def ours(setting: Setting, outputs: Path, *options: str) -> Timed:
    """Time the same training by the framework, from start-up to the last checkpoint.

    Args:
        setting: Data and length.
        outputs: Where it writes; its cache lies there too, so a new folder is a cold start.
        *options: Further overrides, or -m for a sweep.
    """
    arguments = [
        *("-m", "xray.train", "data=folder", f"data.root={setting.root}"),
        *(f"paths.outputs={outputs}", f"data.size={setting.size}", "data.min_val=0"),
        *(f"model.weights={setting.weights}", "data.workers=2", "test=false", "logger=csv"),
        *(f"trainer.max_epochs={setting.epochs}", "callbacks=checkpoint", *options),
    ]
    seconds, _ = _process(*arguments)
    runs = sorted(outputs.glob("train/*/metrics.csv"), key=lambda path: path.stat().st_mtime_ns)
    return Timed(seconds, _last_auroc(runs[-1]) if runs else None)


def _last_auroc(path: Path) -> float:
    import csv

    with path.open(newline="") as file:
        return [float(row["val/auroc"]) for row in csv.DictReader(file) if row["val/auroc"]][-1]


def _process(*command: str) -> tuple[float, str]:
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return seconds, done.stdout
