"""Find run directories."""

from pathlib import Path

from xray.errors import RunError
from xray.runs import layout

_FEWEST_JOBS = 2


def find_run(outputs: Path, run: str | Path | None) -> Path:
    """Return the directory of the requested run.

    Args:
        outputs: The directory that contains train/ and multirun/.
        run: A run directory; "latest" or None selects the finished run with the newest best
            checkpoint below `outputs`.

    Returns:
        A directory that contains the run's configuration and its best checkpoint.

    Raises:
        RunError: There is no such run, or it is incomplete.
    """
    latest = run is None or (str(run) == "latest" and not Path(run).is_dir())
    return _newest(outputs) if run is None or latest else _checked(Path(run))


def sweep_directories(sweep: Path) -> list[Path]:
    """Return the directories of a sweep's tested jobs, by number.

    Raises:
        RunError: Fewer than two jobs were tested.
    """
    jobs = [path.parents[1] for path in sweep.glob(f"*/{layout.predictions('test')}")]
    tested = sorted((job for job in jobs if job.name.isdigit()), key=lambda job: int(job.name))
    if len(tested) >= _FEWEST_JOBS:
        return tested
    raise RunError(
        f"sweep={sweep} contains {len(tested)} tested jobs; at least {_FEWEST_JOBS} are needed. "
        "Pass a directory outputs/multirun/<time>_<tag>, or runs=[<run>,<run>]."
    )


def _newest(outputs: Path) -> Path:
    finished = [
        metrics.parent
        for command in ("train", "multirun")
        for metrics in (outputs / command).rglob(layout.METRICS.name)
        if not _missing(metrics.parent)
    ]
    if not finished:
        raise RunError(
            f"No finished run was found below {outputs}. Start one with `make train`, or pass "
            "the directory of a run."
        )
    # The time of metrics.json changes with every evaluation.
    return max(finished, key=lambda run: (run / layout.BEST).stat().st_mtime_ns)


def _checked(run: Path) -> Path:
    if not run.is_dir():
        raise RunError(
            f"run={run} is not a directory. Pass a run directory, such as "
            "outputs/train/<time>_<tag>, or omit run= to use the latest run."
        )
    if (run / layout.SWEEP_RECORD).is_file():
        jobs = sorted(config.parents[1].name for config in run.glob(f"*/{layout.CONFIG}"))
        raise RunError(f"run={run} is a sweep. Pass one of its jobs: {', '.join(jobs) or 'none'}.")
    missing = _missing(run)
    if missing == [str(layout.BEST)]:
        advice = f"Finish its training with `python -m xray.train resume={run}`, or pass another."
        raise RunError(f"run={run} has no {layout.BEST}. {advice}")
    if missing:
        advice = "Pass a directory that `python -m xray.train` wrote."
        raise RunError(f"run={run} has no {' and no '.join(missing)}. {advice}")
    return run


def _missing(run: Path) -> list[str]:
    return [str(part) for part in (layout.CONFIG, layout.BEST) if not (run / part).is_file()]
