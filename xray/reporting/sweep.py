"""Read the jobs of a sweep, rank them, and write and show their table."""

import csv
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from xray.errors import RunError
from xray.integrity.verdict import LEAKING
from xray.reporting.terminal import SweepRow, sweep_table
from xray.runs import layout
from xray.runs.reading import Table, read_yaml_text
from xray.runs.run import RunFiles

MIN_COMPARED = 2

FINISHED, FAILED, UNFINISHED = "finished", "failed", "unfinished"


@dataclass(frozen=True)
class Job:
    """One job of a sweep, read from its directory.

    Attributes:
        directory: The run directory of the job.
        overrides: The overrides of the job, `key=value` each.
        state: "finished", "failed" or "unfinished".
        error: The first line of the error message of a failed job, or "".
        value: The monitored metric of the best checkpoint; None if the job did not finish.
        test: Test metric -> value; empty if the job was not tested.
        leaks: "leaks found" if training and test share patients or images, or "".
    """

    directory: Path
    overrides: tuple[str, ...]
    state: str
    error: str
    value: float | None
    test: dict[str, float]
    leaks: str = ""


def read_sweep(directory: Path, metric: str, mode: str) -> list[Job]:
    """Read the jobs of a sweep, including failed and unfinished ones.

    Args:
        directory: The directory of the sweep; the jobs are in its subdirectories 0, 1, 2 ...
        metric: The monitored metric ("val/auroc").
        mode: "max" if a higher value is better, "min" if a lower one is.

    Returns:
        The finished jobs, best first, then the others by number.
    """
    found = sorted(
        (path for path in directory.glob("*") if path.name.isdigit() and path.is_dir()),
        key=lambda path: int(path.name),
    )
    jobs = [_read_job(path, metric, mode) for path in found]
    sign = 1 if mode == "min" else -1

    return sorted(jobs, key=lambda job: math.inf if job.value is None else sign * job.value)


def best_command(jobs: Sequence[Job], program: Sequence[str]) -> str | None:
    """Return the shell command that repeats the best job.

    Args:
        jobs: The result of `read_sweep`.
        program: The command without overrides: ["python", "-m", "xray.train"].

    Returns:
        None if no job has a value of the monitored metric.
    """
    if not jobs or jobs[0].value is None:
        return None
    return shlex.join([*program, *jobs[0].overrides])


def write_sweep_csv(path: Path, jobs: Sequence[Job], metric: str) -> None:
    """Write one row per job: number, state, changed keys, value, test metrics and error."""
    keys = list(dict.fromkeys(key for job in jobs for key in _changed(job, jobs)))
    tests = list(dict.fromkeys(name for job in jobs for name in job.test))
    columns = ["job", "state", *keys, metric, *(f"test/{name}" for name in tests), "error"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for job in jobs:
            changed = _changed(job, jobs)
            writer.writerow(
                [
                    job.directory.name,
                    job.state,
                    *(changed.get(key, "") for key in keys),
                    "" if job.value is None else job.value,
                    *(job.test.get(name, "") for name in tests),
                    job.error,
                ]
            )


def show_sweep(
    directory: Path, metric: str, mode: str, program: Sequence[str], *, compared: bool = True
) -> list[str]:
    """Show the table of a sweep, its comparison and its best command; write sweep.csv.

    Args:
        directory: The directory of the sweep.
        metric: The monitored metric ("val/auroc").
        mode: "max" or "min".
        program: The command without overrides.
        compared: True to compare the tested jobs, see `compare_jobs`.

    Returns:
        The error messages of the failed jobs.
    """
    jobs = read_sweep(directory, metric, mode)
    if not jobs:
        return []
    console = Console()
    console.print(sweep_table([_row(job, jobs, metric) for job in jobs], metric, mode))
    write_sweep_csv(directory / layout.SWEEP_TABLE, jobs, metric)
    if compared and len(jobs) > 1:
        compare_jobs(directory, jobs, console)
    best = best_command(jobs, program)
    for line in (f"sweep: {directory}", *([f"best: {best}"] if best else [])):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    return [job.error for job in jobs if job.state == FAILED]


def compare_jobs(directory: Path, jobs: Sequence[Job], console: Console) -> None:
    """Compare the tested jobs of a sweep: write all pairs, and show those with the best job.

    If fewer than two jobs were tested, or a job cannot be read, a line states the reason.

    Args:
        directory: The directory of the sweep, which receives compare.json, compare.csv and
            pairs.csv.
        jobs: The result of `read_sweep`.
        console: The terminal that shows the tables.
    """
    # Imported here because the table of the sweep does not need scipy.
    from xray.evaluation.compare import compare
    from xray.reporting.comparison import write_comparison
    from xray.runs.finished import read_runs

    tested = [
        job.directory
        for job in jobs
        if job.state == FINISHED and (job.directory / layout.predictions("test")).is_file()
    ]
    try:
        if len(tested) < MIN_COMPARED:
            raise RunError(f"{len(tested)} jobs were tested, at least two are needed.")
        write_comparison(directory, compare(read_runs(tested)), console, best_first=True)
    except RunError as error:
        line = f"The jobs were not compared: {error}"
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _row(job: Job, jobs: Sequence[Job], metric: str) -> SweepRow:
    # A terminal has room for two test metrics; sweep.csv contains all.
    shown = dict.fromkeys((metric.partition("/")[2], "accuracy"))
    return SweepRow(
        overrides=[f"{key}={value}" for key, value in _changed(job, jobs).items()],
        value=job.value,
        metrics={f"test/{name}": job.test[name] for name in shown if name in job.test},
        run=job.directory.name,
        status=": ".join(text for text in (job.state, job.error or job.leaks) if text),
    )


def _changed(job: Job, jobs: Sequence[Job]) -> dict[str, str]:
    """Return the overrides in which the jobs differ, or all overrides of a single job."""
    shared = set.intersection(*(set(other.overrides) for other in jobs)) if len(jobs) > 1 else set()
    pairs = (text.partition("=") for text in job.overrides if text not in shared)
    return {key: value for key, _, value in pairs}


def _read_job(directory: Path, metric: str, mode: str) -> Job:
    files = RunFiles(directory, tolerant=True)
    overrides = _yaml(directory / layout.OVERRIDES) or []
    metrics = files.metrics
    note = directory / layout.ERROR
    error = note.read_text(encoding="utf-8").strip().partition("\n")[0] if note.is_file() else ""
    # The report is the last file that a run without a test writes.
    untested = not files.config.get("test", True) and (directory / layout.REPORT_HTML).is_file()
    finished = bool(metrics) or untested
    state = FAILED if error else FINISHED if finished else UNFINISHED
    split, _, name = metric.partition("/")
    value = _values(metrics.get(split)).get(name)
    if value is None:
        value = _best_logged(files.curves, metric, mode)
    return Job(
        directory=directory,
        overrides=tuple(str(text) for text in overrides),
        state=state,
        error=error,
        value=value if state == FINISHED else None,
        test=_values(metrics.get("test")),
        leaks=LEAKING if (metrics.get("test") or {}).get("verdict") == LEAKING else "",
    )


def _values(metrics: Any) -> dict[str, float]:
    """Return the metrics with a finite value."""
    pairs = metrics.items() if isinstance(metrics, dict) else ()
    values = {name: metric.get("value") for name, metric in pairs if isinstance(metric, dict)}
    return {
        k: float(v) for k, v in values.items() if isinstance(v, int | float) and math.isfinite(v)
    }


def _best_logged(curves: Table, metric: str, mode: str) -> float | None:
    """Return the best logged value, for a job without a test or monitored by its loss."""
    texts = [row.get(metric) for row in curves]
    values = [value for value in (float(text) for text in texts if text) if math.isfinite(value)]
    return (min if mode == "min" else max)(values, default=None)


def _yaml(path: Path) -> Any:
    return yaml.safe_load(read_yaml_text(path)) if path.is_file() else None
