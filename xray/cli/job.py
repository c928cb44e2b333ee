"""One job: its configuration is checked, and its failure is kept where it belongs."""

import functools
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
from xray.cli.readback import Done
from xray.errors import ConfigError, XrayError


class JobFailed(CompactHydraException):
    """Tells a sweeper that a job failed; Hydra prints it, without a trace, after the others."""


def guarded(
    verb: str,
    task: Callable[[DictConfig], Any],
    failed: list[str],
    done: Mapping[int, Done],
) -> Callable[[DictConfig], Any]:
    """Wrap a verb's function for Hydra.

    Args:
        verb: Its name.
        task: Its function.
        failed: Receives the message of an `XrayError` that ended a single run.
        done: The jobs of a sweep, by number, that are read back.

    Returns:
        A function that raises `JobFailed` where the job of a sweep ends with an `XrayError`, and
        whatever else `task` raises.
    """
    typed = list(sys.argv)

    @functools.wraps(task)
    def run(cfg: DictConfig) -> Any:
        # What was typed: the further processes of a distributed run start with it.
        sys.argv = typed
        settings = HydraConfig.get()
        multirun = settings.mode == RunMode.MULTIRUN
        if multirun and settings.job.num in done:
            finished = done[settings.job.num]
            finished.restore()
            return finished.value
        try:
            _note("")
            problems = check_values(verb, cfg)
            if problems:
                raise ConfigError("\n".join(problems))
            return task(cfg)
        except XrayError as error:
            _note(str(error))
            if os.environ.get("HYDRA_FULL_ERROR") == "1":
                raise
            print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201
            if multirun:
                raise JobFailed(str(error)) from None
            failed.append(str(error))
            return None
        except Exception as error:
            _note(f"{type(error).__name__}: {error}")
            raise

    return run


def _note(message: str) -> None:
    """Leave the message in the job's directory, or take away an earlier one."""
    from xray.runs import layout

    settings = HydraConfig.get()
    if settings.output_subdir is None:
        return
    path = Path(settings.runtime.output_dir) / layout.ERROR
    if message:
        path.write_text(message + "\n", encoding="utf-8")
    else:
        path.unlink(missing_ok=True)
