"""Complete processes: the plain loop, the plain Lightning module, and the framework."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.setting import BATCH, Setting

_CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Timed:
    """Measurements of a successful process.

    Attributes:
        seconds: Wall time including start-up.
        peak: Peak resident set of its largest process in bytes.
        aurocs: Validation AUROC of each epoch.
        epochs: Seconds of each epoch including validation, without start-up.
        training: Seconds of each epoch without validation; empty if not measured.
    """

    seconds: float
    peak: int
    aurocs: tuple[float, ...] = ()
    epochs: tuple[float, ...] = ()
    training: tuple[float, ...] = ()


@contextmanager
def cold(setting: Setting) -> Iterator[Path]:
    """Create a new output folder without a cache, and remove it afterwards."""
    with tempfile.TemporaryDirectory(dir=setting.outputs) as folder:
        yield Path(folder)


def plain(setting: Setting, trainable: str, epochs: int) -> Timed:
    """Time the plain loop.

    Raises:
        SystemExit: It failed; the message contains the end of its error output.
    """
    return _printed(setting, "benchmarks.plain_loop", epochs, trainable)


def lightning(setting: Setting, epochs: int) -> Timed:
    """Time `epochs` of the plain Lightning module, extrapolated to `setting.epochs`.

    Raises:
        SystemExit: It failed.
    """
    timed = _printed(setting, "benchmarks.lightning_loop", epochs)
    return replace(timed, seconds=timed.seconds + (setting.epochs - epochs) * timed.epochs[-1])


def ours(
    setting: Setting, outputs: Path, *options: str, epochs: int, root: Path | None = None
) -> Timed:
    """Time the same training with the framework.

    Args:
        setting: Data and settings.
        outputs: Output folder, which also contains the cache: a new folder is a cold start.
        *options: Further overrides, or -m for a sweep.
        epochs: Number of epochs.
        root: Folder of other images; None: the images of the setting.

    Raises:
        SystemExit: It failed.
    """
    times = outputs / "epochs.json"
    timed, _ = _process(
        setting.outputs,
        *("xray.train", "data=folder", f"data.root={root or setting.root}"),
        *(f"paths.outputs={outputs}", f"data.size={setting.size}", "data.min_val=0"),
        *(f"model.weights={setting.weights}", f"data.batch_size={BATCH}", "data.workers=2"),
        *(f"trainer.max_epochs={epochs}", "test=false", "logger=csv", "callbacks=checkpoint"),
        "+callbacks.epoch_times._target_=benchmarks.epoch_times.EpochTimes",
        f"+callbacks.epoch_times.path={times}",
        *options,
    )
    found = json.loads(times.read_text())
    runs = sorted(outputs.glob("train/*/metrics.csv"), key=lambda path: path.stat().st_mtime_ns)
    return replace(
        timed,
        epochs=tuple(found["epochs"]),
        training=tuple(found["training"]),
        aurocs=_aurocs(runs[-1]) if runs else (),
    )


def _aurocs(path: Path) -> tuple[float, ...]:
    with path.open(newline="") as file:
        return tuple(float(row["val/auroc"]) for row in csv.DictReader(file) if row["val/auroc"])


def _printed(setting: Setting, module: str, epochs: int, *more: str) -> Timed:
    """Time a loop whose last output line contains AUROC and seconds of each epoch."""
    arguments = (str(setting.root), str(epochs), str(setting.size), setting.weights, *more)
    timed, output = _process(setting.outputs, module, *arguments)
    last = json.loads(output.splitlines()[-1])
    return replace(timed, aurocs=tuple(last["auroc"]), epochs=tuple(last["epochs"]))


def _process(scratch: Path, module: str, *arguments: str) -> tuple[Timed, str]:
    report = scratch / "measured.json"
    python = (sys.executable, "-m")
    paths = [str(_CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [*python, "benchmarks.measure", str(report), *python, module, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=_CHECKOUT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    if done.returncode:
        command = " ".join((module, *arguments))
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return Timed(**json.loads(report.read_text())), done.stdout
