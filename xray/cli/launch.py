"""From the command line to the verb's function, once or once a job."""

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
    from xray.cli.readback import Done

STARTED = time.perf_counter()
"""Start of the command, in seconds of `time.perf_counter`; without the start of Python."""

# Hydra is imported inside the functions: --help does without.

Task = Callable[["DictConfig"], Any]

SHOWS = ("hydra_help", "cfg", "info", "shell_completion", "experimental_rerun")
"""Hydra's flags that show something and run nothing."""


def launch(verb: str, task: Task) -> None:
    """Compose the configuration from the command line, check all of it, and run the verb.

    Nothing starts, and nothing heavy is imported, before every job's configuration is known to be
    right. What the user can put right is said on stderr in a line each, without a stack trace, and
    ends with exit status 1; in a sweep the other jobs go on. A sweep ends with the table of its
    jobs.

    Args:
        verb: The name of the primary configuration, conf/<verb>.yaml.
        task: Called with the configuration, once a job; what it returns is what a search optimises.
    """
    prepare_environment()
    argv = sys.argv[1:]
    if {"--help", "-h"} & set(argv):
        from xray.cli.helptext import help_text

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
    """Make a directory that is nobody else's: two runs started in the same second do not share one.

    Args:
        directory: The one wanted; where it exists, "-2", "-3" ... is put behind its name.

    Raises:
        RunError: It cannot be made.
    """
    numbered = (directory.with_name(f"{directory.name}-{i}") for i in count(2))
    for path in chain([directory], numbered):
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(
                f"cannot write to {directory.parent} ({error.strerror}). Choose another place: "
                "paths.outputs=<folder>"
            ) from error
        return path
    raise AssertionError  # pragma: no cover


def _launch(verb: str, task: Task, argv: Sequence[str]) -> None:
    from xray.cli.check import check, check_composes
    from xray.cli.command import read_command, read_flags
    from xray.cli.resume import asked_for, resolve_resume

    flags = read_flags(argv)
    command = read_command(verb, flags)
    if any(getattr(flags, name) for name in SHOWS):
        if flags.cfg:
            check_composes(command)
        _run_hydra(command, task, argv)
        return
    asked = asked_for(command)
    if asked is not None and command.multirun:
        _resume_sweep(command, task, asked)
        return
    command = resolve_resume(command)
    plan = check(command)
    if plan.directory is not None:
        plan = replace(plan, directory=plan.directory if plan.chosen else claim(plan.directory))
    with _held(plan):
        _run(command, plan, task, {})


def _resume_sweep(command: "Command", task: Task, asked: object) -> None:
    from xray.cli.check import check
    from xray.cli.resume_sweep import clear_unfinished, read_back, resolve_sweep

    command, sweep = resolve_sweep(command, asked)
    # Relative paths mean what they meant then.
    with chdir(sweep.cwd if sweep.cwd.is_dir() else "."):
        plan = check(command)
        with _held(plan):
            done = read_back(command, plan)
            clear_unfinished(sweep.directory, done)
            found = ", ".join(map(str, sorted(done))) or "none"
            print(f"resuming {sweep.directory}; finished jobs: {found}", flush=True)  # noqa: T201
            _run(command, plan, task, done)


@contextmanager
def _held(plan: "Plan") -> Iterator[None]:
    """Keep a sweep's directory to this process; a run's own is new, or asked for by name."""
    if not plan.multirun or plan.directory is None:
        yield
        return
    from xray.cli.lock import held

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
        # Under a debugger Hydra prints nothing and passes it on.
        failed.append(str(error))
        ended = True
    except SystemExit as stop:
        # Hydra's own after jobs that failed; a job that is told to stop has another status.
        ended = stop.code == 1
        raise
    finally:
        if plan.multirun and plan.directory and plan.monitor:
            from xray.reporting.sweep import show_sweep

            program = ["python", "-m", f"xray.{command.verb}"]
            failed += show_sweep(plan.directory, *plan.monitor, program, compared=ended)
            if not ended:
                go_on = shlex.join([*program, "-m", f"resume={plan.directory}"])
                print(f"go on: {go_on}", flush=True)  # noqa: T201
    if failed:
        sys.exit(1)


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
