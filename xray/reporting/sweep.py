"""The jobs of a sweep side by side, best first."""

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
from xray.runs.reading import Table
from xray.runs.run import RunFiles

FEWEST_COMPARED = 2

FINISHED, FAILED, UNFINISHED = "finished", "failed", "unfinished"


@dataclass(frozen=True)
class Job:
    """One job of a sweep, as its directory tells.

    Attributes:
        directory: Where it wrote.
        overrides: All that was asked of it on the command line, `key=value` each.
        state: "finished", "failed" or "unfinished".
        error: The first line of what stopped it, else "".
        value: The monitored metric of the best checkpoint; None where the job did not finish.
        test: Test metric -> value; empty where it was not tested.
        leaks: "leaks found" where the test shares patients or exposures with training, else "".
    """

    directory: Path
    overrides: tuple[str, ...]
    state: str
    error: str
    value: float | None
    test: dict[str, float]
    leaks: str = ""


def read_sweep(directory: Path, metric: str, mode: str) -> list[Job]:
    """Read the jobs of a sweep, whether they ended well or not.

    Args:
        directory: Of the sweep; its jobs lie in 0, 1, 2 ...
        metric: What they are compared by: "val/auroc".
        mode: "min" or "max", where it is best.

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
    """Write the command line that runs the best job again, ready to paste into a shell.

    Args:
        jobs: As `read_sweep` gives them.
        program: What the overrides follow: ["python", "-m", "xray.train"].

    Returns:
        None where no job came to a value.
    """
    if not jobs or jobs[0].value is None:
        return None
    return shlex.join([*program, *jobs[0].overrides])


def write_sweep_csv(path: Path, jobs: Sequence[Job], metric: str) -> None:
    """Write the jobs as CSV: number, state, changed keys, value, test metrics and error."""
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
    """Print the table of a sweep, its comparison and its best command line; write sweep.csv.

    Args:
        directory: Of the sweep.
        metric: What its jobs are compared by: "val/auroc".
        mode: "min" or "max".
        program: What the overrides of the best command line follow.
        compared: Whether its tested jobs are compared, see `compare_jobs`.

    Returns:
        The errors of the jobs that failed; empty when all went well.
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
    """Compare the tested jobs of a sweep: all pairs in files, those with the best shown.

    Where fewer than two were tested, or one cannot be read, a line says so: the sweep is worth its
    table all the same.

    Args:
        directory: Of the sweep; takes compare.json, compare.csv and pairs.csv.
        jobs: As `read_sweep` gives them.
        console: Where the tables go.
    """
    # scipy, which the table does without.
    from xray.evaluation.compare import compare
    from xray.reporting.comparison import write_comparison
    from xray.runs.finished import read_runs

    tested = [
        job.directory
        for job in jobs
        if job.state == FINISHED and (job.directory / layout.predictions("test")).is_file()
    ]
    try:
        if len(tested) < FEWEST_COMPARED:
            raise RunError(f"{len(tested)} jobs were tested, and two are needed.")
        write_comparison(directory, compare(read_runs(tested)), console, best_first=True)
    except RunError as error:
        said = f"no comparison: {error}"
        console.print(said, soft_wrap=True, markup=False, highlight=False)


def _row(job: Job, jobs: Sequence[Job], metric: str) -> SweepRow:
    # The others stand in sweep.csv: a terminal has room for two.
    shown = dict.fromkeys((metric.partition("/")[2], "accuracy"))
    return SweepRow(
        overrides=[f"{key}={value}" for key, value in _changed(job, jobs).items()],
        value=job.value,
        metrics={f"test/{name}": job.test[name] for name in shown if name in job.test},
        run=job.directory.name,
        status=": ".join(text for text in (job.state, job.error or job.leaks) if text),
    )


def _changed(job: Job, jobs: Sequence[Job]) -> dict[str, str]:
    """Pick the overrides in which the jobs differ; all of them where there is one job only."""
    shared = set.intersection(*(set(other.overrides) for other in jobs)) if len(jobs) > 1 else set()
    pairs = (text.partition("=") for text in job.overrides if text not in shared)
    return {key: value for key, _, value in pairs}


def _read_job(directory: Path, metric: str, mode: str) -> Job:
    files = RunFiles(directory, tolerant=True)
    overrides = _yaml(directory / layout.OVERRIDES) or []
    metrics = files.metrics
    note = directory / layout.ERROR
    error = note.read_text(encoding="utf-8").strip().partition("\n")[0] if note.is_file() else ""
    # A run that is not tested ends with its report.
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
    """Keep the metrics that have one finite value."""
    pairs = metrics.items() if isinstance(metrics, dict) else ()
    values = {name: metric.get("value") for name, metric in pairs if isinstance(metric, dict)}
    return {
        k: float(v) for k, v in values.items() if isinstance(v, int | float) and math.isfinite(v)
    }


def _best_logged(curves: Table, metric: str, mode: str) -> float | None:
    """Find the best value of a curve, for a job that was not tested or goes by its loss."""
    texts = [row.get(metric) for row in curves]
    values = [value for value in (float(text) for text in texts if text) if math.isfinite(value)]
    return (min if mode == "min" else max)(values, default=None)


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
