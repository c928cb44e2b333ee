"""Run one job: check its configuration, and write its error to its directory."""

import functools
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from xray.cli.check import check_values
from xray.cli.sweep_state import Done
from xray.errors import ConfigError, XrayError
from xray.runs import layout


class JobFailed(CompactHydraException):
    """A job of a sweep failed; Hydra prints the message after the other jobs, without a trace."""


def guarded(
    verb: str, task: Callable[[DictConfig], Any], failed: list[str], done: Mapping[int, Done]
) -> Callable[[DictConfig], Any]:
    """Wrap the function of a command for Hydra.

    Args:
        verb: The name of the command.
        task: Its function.
        failed: Receives the message of an `XrayError` that ended a single run.
        done: The finished jobs of a resumed sweep, by number; they are not run again.

    Returns:
        A function that raises `JobFailed` if the job of a sweep ends with an `XrayError`, and any
        other exception that `task` raises.
    """
    typed = list(sys.argv)

    @functools.wraps(task)
    def run(cfg: DictConfig) -> Any:
        # The other processes of a distributed run are started with the same arguments.
        sys.argv = typed
        settings = HydraConfig.get()
        multirun = settings.mode == RunMode.MULTIRUN
        if multirun and settings.job.num in done:
            finished = done[settings.job.num]
            finished.restore()
            return finished.value
        _let_loaders_start()
        try:
            return _run_checked(verb, task, cfg)
        except XrayError as error:
            if os.environ.get("HYDRA_FULL_ERROR") == "1":
                raise
            print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201
            if multirun:
                raise JobFailed(str(error)) from None
            failed.append(str(error))
            return None

    return run


def _run_checked(verb: str, task: Callable[[DictConfig], Any], cfg: DictConfig) -> Any:
    """Check the configuration of a job and run it; write an error to the directory of the job."""
    try:
        _write_error("")
        problems = check_values(verb, cfg)
        if problems:
            raise ConfigError("\n".join(problems))
        return task(cfg)
    except XrayError as error:
        _write_error(str(error))
        raise
    except Exception as error:
        _write_error(f"{type(error).__name__}: {error}")
        raise


def _let_loaders_start() -> None:
    """Let a job of the joblib launcher start the loader processes of PyTorch.

    The launcher runs jobs in processes of loky, whose start method "loky" becomes the default there
    and cannot start other processes.
    """
    if multiprocessing.get_start_method(allow_none=True) == "loky":
        method = "fork" if sys.platform == "linux" else "spawn"
        multiprocessing.set_start_method(method, force=True)


def _write_error(message: str) -> None:
    """Write the message to the directory of the job; an empty one deletes an earlier message."""
    settings = HydraConfig.get()
    if settings.output_subdir is None:
        return
    path = Path(settings.runtime.output_dir) / layout.ERROR
    if message:
        path.write_text(message + "\n", encoding="utf-8")
    else:
        path.unlink(missing_ok=True)
