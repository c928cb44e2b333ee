"""The run directory: what is written into it, and how it is found again."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xray.errors import RunError

# Part of what is done to a run directory.
from xray.files import write_json as write_json  # noqa: PLC0414
from xray.runs.environment import describe_environment
from xray.stats.rule import EVEN

CONFIG = Path(".hydra") / "config.yaml"
BEST = Path("checkpoints") / "best.ckpt"
METRICS = Path("metrics.json")
PRIOR_CORRECTED = "_prior_em"
"""Ends the names of results with corrected class shares, see `xray.evaluate`."""
ERROR_FILE = "error.txt"
"""What stopped a job, in its directory."""


def read_json(path: Path) -> Any:
    """Read a JSON file of a run directory.

    Raises:
        RunError: The file is missing, unreadable or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        reason = f"{path} cannot be opened ({error.strerror})"
        raise RunError(f"{reason}. Is {path.parent} the directory of a finished run?") from error
    except json.JSONDecodeError as error:
        reason = f"{path} is not JSON (line {error.lineno}: {error.msg})"
        raise RunError(f"{reason}. Restore it, or do the run again.") from error


def write_environment(run_dir: Path, seed: int, command: Sequence[str] | None = None) -> None:
    """Write environment.json into a run directory: versions, git commit, machine, command line.

    Args:
        run_dir: The run directory.
        seed: The run's seed.
        command: The command line, one word an item; None: this process's own.
    """
    described = describe_environment(seed, sys.orig_argv if command is None else command)
    write_json(run_dir / "environment.json", described)


def note_facts(run_dir: Path, **facts: Any) -> None:
    """Add to environment.json what `auto` really was, and when it ended.

    Args:
        run_dir: The run directory.
        **facts: "weights": what the network started from; "compute": as `Compute.record` tells it;
            "finished": when the last training ended, as "started" is told.
    """
    path = run_dir / "environment.json"
    write_json(path, {**read_json(path), **facts})


def recorded_compute(run_dir: Path) -> dict[str, Any]:
    """Read how a run was computed; empty where that is not on record."""
    path = run_dir / "environment.json"
    recorded = read_json(path).get("compute") if path.is_file() else None
    return dict(recorded or {})


def threshold_of(run_dir: Path) -> float:
    """Read above which probability a run calls the second of two classes; 0.5 where none is told.

    The test's comes first, since what is shown of the others is shown beside it.
    """
    metrics = read_metrics(run_dir)
    return threshold_in(next((metrics[s] for s in ("test", "val") if metrics.get(s)), {}))


def read_metrics(run_dir: Path) -> dict[str, Any]:
    """Read metrics.json; empty where a run has none."""
    path = run_dir / METRICS
    return dict(read_json(path)) if path.is_file() else {}


def threshold_in(entry: Mapping[str, Any]) -> float:
    """Read the threshold of a split's metrics; 0.5 where none is told, as of three classes."""
    value = entry.get("threshold")
    return EVEN if value is None else float(value)


def find_run(outputs: Path, run: str | None) -> Path:
    """Find the run directory that is meant.

    Args:
        outputs: The directory that holds train/ and multirun/.
        run: A run directory, or None for the newest finished one (by its best checkpoint's time).

    Returns:
        A directory that holds the run's configuration and its best checkpoint.

    Raises:
        RunError: There is none, or the given one is incomplete.
    """
    return _newest(outputs) if run is None else _checked(Path(run))


def _missing(run: Path) -> list[str]:
    return [str(part) for part in (CONFIG, BEST) if not (run / part).is_file()]


def _newest(outputs: Path) -> Path:
    finished = [
        metrics
        for verb in ("train", "multirun")
        for metrics in (outputs / verb).rglob(METRICS.name)
        if not _missing(metrics.parent)
    ]
    if not finished:
        raise RunError(f"There is no finished run below {outputs}: start one with `make train`.")
    # metrics.json is written anew by every evaluation.
    return max((m.parent for m in finished), key=lambda run: (run / BEST).stat().st_mtime_ns)


def _checked(run: Path) -> Path:
    if not run.is_dir():
        advice = "Name a run directory, such as outputs/train/<time>_<tag>, or leave run= out."
        raise RunError(f"run={run} is not a directory. {advice}")
    if (run / "multirun.yaml").is_file():
        jobs = sorted(config.parent.parent.name for config in run.glob(f"*/{CONFIG}"))
        raise RunError(f"run={run} is a sweep. Name one of its jobs: {', '.join(jobs) or 'none'}.")
    missing = _missing(run)
    if missing == [str(BEST)]:
        advice = f"Finish its training with `python -m xray.train resume={run}`, or name another."
        raise RunError(f"run={run} lacks {BEST}. {advice}")
    if missing:
        advice = "Name a directory that `python -m xray.train` wrote."
        raise RunError(f"run={run} lacks {' and '.join(missing)}. {advice}")
    return run
