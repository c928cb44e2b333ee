"""Run the function of a command, once or once a job."""

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xray.config import prepare_environment
from xray.errors import RunError, XrayError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from xray.cli.check import Plan
    from xray.cli.command import Command
    from xray.cli.sweep_state import Done

STARTED = time.perf_counter()
"""Start of the command, in seconds of `time.perf_counter`; without the start of Python."""

# Hydra is imported inside the functions, since --help does not need it.

Task = Callable[["DictConfig"], Any]

SHOWS = ("hydra_help", "cfg", "info", "shell_completion")
"""Flags of Hydra that show something and run nothing."""


def launch(verb: str, task: Task) -> None:
    """Compose the configuration from the command line, check all of it, and run the command.

    The configurations of all jobs are checked before anything starts, and before heavy packages are
    imported. Errors that the user can correct are printed to stderr, one line each, without a stack
    trace; the exit status is 1. The other jobs of a sweep continue, and the sweep ends with a table
    of its jobs.

    Args:
        verb: The name of the primary configuration, conf/<verb>.yaml.
        task: Called with the configuration of each job; returns the value that a search optimizes.
    """
    prepare_environment()
    argv = sys.argv[1:]
    if {"--help", "-h"} & set(argv):
        from xray.cli.help import help_text

        print(help_text(verb))  # noqa: T201
        return
    try:
        _launch(verb, task, argv)
    except XrayError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def claim(directory: Path) -> Path:
    """Create a new directory, so that two runs started in the same second do not share one.

    Args:
        directory: The preferred path; if it exists, "-2", "-3" ... is added to its name.

    Raises:
        RunError: It cannot be created.
    """
    numbered = (directory.with_name(f"{directory.name}-{i}") for i in count(2))
    for path in chain([directory], numbered):
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(
                f"Cannot write to {directory.parent} ({error.strerror}). Choose another place: "
                "paths.outputs=<folder>"
            ) from error
        return path
    raise AssertionError  # pragma: no cover


def _launch(verb: str, task: Task, argv: Sequence[str]) -> None:
    from xray.cli.command import read_command, read_flags

    flags = read_flags(argv)
    command = read_command(verb, flags)
    if any(getattr(flags, name) for name in SHOWS):
        if flags.cfg:
            from xray.cli.check import check_composes

            check_composes(command)
        _run_hydra(command, task, argv)
        return
    from xray.cli.resume import find_resume

    asked = find_resume(command)
    if asked is not None and command.multirun:
        _resume_sweep(command, task, asked)
    else:
        _start(command, task)


def _start(command: "Command", task: Task) -> None:
    """Run a new run or sweep, or resume a run."""
    from xray.cli.check import check
    from xray.cli.resume import resumed

    with resumed(command) as resolved:
        plan = check(resolved)
        if plan.directory is not None and not plan.chosen:
            plan = replace(plan, directory=claim(plan.directory))
        with _held(plan):
            _run(resolved, plan, task, {})


def _resume_sweep(command: "Command", task: Task, asked: object) -> None:
    from xray.cli.check import check
    from xray.cli.finished_jobs import read_back
    from xray.cli.resume_sweep import clear_unfinished, resolve_sweep

    command, sweep = resolve_sweep(command, asked)
    # Relative paths refer to the working directory in which the sweep was started.
    with chdir(sweep.cwd if sweep.cwd.is_dir() else "."):
        # Other processes must not import modules from that directory.
        os.environ["PYTHONSAFEPATH"] = "1"
        plan = check(command)
        with _held(plan):
            done = read_back(command, plan)
            clear_unfinished(sweep.directory, done)
            found = ", ".join(map(str, sorted(done))) or "none"
            print(f"resuming {sweep.directory}; finished jobs: {found}", flush=True)  # noqa: T201
            _run(command, plan, task, done)


@contextmanager
def _held(plan: "Plan") -> Iterator[None]:
    """Reserve the directory of a sweep; that of a run is new, or was chosen by the user."""
    if not plan.multirun or plan.directory is None:
        yield
        return
    from xray.cli.sweep_state import held

    with held(plan.directory):
        yield


def _run(command: "Command", plan: "Plan", task: Task, done: "Mapping[int, Done]") -> None:
    from xray.cli.command import quoted
    from xray.cli.job import JobFailed, guarded

    if plan.directory is not None:
        key = "hydra.sweep.dir" if plan.multirun else "hydra.run.dir"
        command = command.adding(
            f"{key}={quoted(str(plan.directory))}",
            f"++hydra.job.env_set.XRAY_ROOT={quoted(os.environ['XRAY_ROOT'])}",
        )
    failed: list[str] = []
    ended = False
    try:
        _run_hydra(command, guarded(command.verb, task, failed, done), command.argv())
        ended = True
    except JobFailed as error:
        # Hydra raises it under a debugger, and otherwise prints it.
        failed.append(str(error))
        ended = True
    except SystemExit as stop:
        # Hydra exits with 1 after failed jobs; a job that was stopped has another status.
        ended = stop.code == 1
        raise
    finally:
        if plan.multirun and plan.directory and plan.monitor:
            failed += _show_sweep(command, plan.directory, plan.monitor, ended=ended)
    if failed:
        sys.exit(1)


def _show_sweep(
    command: "Command", directory: Path, monitor: tuple[str, str], *, ended: bool
) -> list[str]:
    """Print the table of a sweep, and how to continue if it was interrupted; return its errors."""
    from xray.reporting.sweep import show_sweep

    program = ["python", "-m", f"xray.{command.verb}"]
    failed = show_sweep(directory, *monitor, program, compared=ended)
    if not ended:
        resume = shlex.join([*program, "-m", f"resume={directory}"])
        print(f"resume with: {resume}", flush=True)  # noqa: T201
    return list(failed)


def _run_hydra(command: "Command", task: Task, arguments: Sequence[str]) -> None:
    import hydra

    typed = sys.argv
    sys.argv = [typed[0], *arguments]
    try:
        hydra.main(
            config_path=str(command.config_path),
            config_name=command.config_name,
            version_base="1.3",
        )(task)()
    finally:
        sys.argv = typed
