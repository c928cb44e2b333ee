"""`-m ... resume=true`: a sweep that was cut off goes on in its own directory."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from xray.cli.check import Plan
from xray.cli.command import Command, quoted
from xray.cli.compose import MAX_JOBS, Composer
from xray.cli.readback import Done, read_done
from xray.cli.started import Started, read_started, started_below
from xray.config import SAVED, USER_PATHS
from xray.errors import ConfigError, RunError
from xray.reporting.sweep import FINISHED, read_sweep
from xray.schema.messages import dotted_keys, shown


def resolve_sweep(command: Command, asked: object) -> tuple[Command, Started]:
    """Turn `-m resume=...` into the command that the sweep was started with.

    Args:
        command: As typed.
        asked: The value of `resume`: True for the newest sweep of the same overrides, or the
            directory of one.

    Returns:
        The sweep's own overrides in their order, which numbers its jobs, in its directory; and the
        sweep.

    Raises:
        ConfigError: There is no such sweep, or it cannot be resumed.
        RunError: The directory is no sweep's.
    """
    composer = Composer(command)
    typed = [o for o in composer.parse(command.overrides) if o.key_or_group != "resume"]
    for override in typed:
        if override.key_or_group == "hydra.sweep.dir":
            raise ConfigError(
                "a resumed sweep goes on where it lies: leave out hydra.sweep.dir, or pass "
                "resume=<that directory>"
            )
    own = [override for override in typed if not override.is_hydra_override()]
    if asked is True:
        sweep = _newest(composer, typed, own)
    else:
        sweep = read_started(Path(str(asked)).resolve())
        if own and _grid(own) != _grid(composer.parse(sweep.overrides)):
            raise ConfigError(
                f"{sweep.directory} was started with other overrides: "
                f"{' '.join(sweep.overrides)}. Pass these, or none"
            )
    if not sweep.grid or any(o.key_or_group == "hydra/sweeper" for o in typed):
        raise ConfigError(
            f"{sweep.directory} cannot be resumed as a search: what a search tries next hangs on "
            "what it found before. Start it anew, or list the values"
        )
    hydras = [str(o.input_line) for o in typed if o.is_hydra_override()]
    place = f"hydra.sweep.dir={quoted(str(sweep.directory))}"
    return replace(command, overrides=(*sweep.overrides, *hydras, place)), sweep


def read_back(command: Command, plan: Plan) -> dict[int, Done]:
    """Read the finished jobs of a sweep that is resumed, and make sure that they are still its own.

    Args:
        command: As `resolve_sweep` gives it.
        plan: Of that command.

    Returns:
        Number -> job.

    Raises:
        ConfigError: A finished job had other overrides or another configuration than it would have
            now.
    """
    assert plan.directory is not None
    assert plan.monitor is not None
    composer = Composer(command)
    jobs = _numbered(composer, command, plan)
    done = {
        int(job.directory.name): job
        for job in read_sweep(plan.directory, *plan.monitor)
        if job.state == FINISHED
    }
    for number, job in sorted(done.items()):
        now = jobs[number] if number < len(jobs) else None
        # One that was resumed alone keeps no record of its first overrides.
        alone = any(text.startswith("resume=") for text in job.overrides)
        if now is None or (sorted(now) != sorted(job.overrides) and not alone):
            raise ConfigError(
                f"job {number} of {plan.directory} ran with {' '.join(job.overrides)}, but would "
                f"be {' '.join(now) if now is not None else 'none'} now. Start a new sweep"
            )
    for number in sorted(done)[:MAX_JOBS]:
        _check_unchanged(composer, jobs[number], done[number].directory)
    return {number: read_done(job.directory, job.value) for number, job in done.items()}


def clear_unfinished(directory: Path, done: Mapping[int, Done]) -> None:
    """Delete the directories of the jobs that are to run again: each starts from nothing.

    A job that went on from its last checkpoint after an early stop would train an epoch more than
    one that was not cut off.

    Raises:
        RunError: One cannot be deleted.
    """
    for path in directory.iterdir():
        if path.name.isdigit() and path.is_dir() and int(path.name) not in done:
            try:
                shutil.rmtree(path)
            except OSError as error:
                reason = f"{path} cannot be deleted ({error.strerror})"
                raise RunError(f"{reason}. Delete it, and resume again.") from error


def _newest(composer: Composer, typed: Sequence[Override], own: Sequence[Override]) -> Started:
    fixed = [override for override in typed if not override.is_sweep_override()]
    whole, problems = composer.compose(fixed)
    if whole is None or problems:
        raise ConfigError("\n".join(problems))
    folder = Path(OmegaConf.select(whole, "hydra.sweep.dir")).resolve().parent
    sweeps = started_below(folder)
    grid = _grid(own)
    for sweep in sweeps:
        try:
            if _grid(composer.parse(sweep.overrides)) == grid:
                return sweep
        except ConfigError:
            # It chose an option that is no more.
            continue
    listed = [f"  {sweep.directory}: {' '.join(sweep.overrides)}" for sweep in sweeps]
    said = f"no sweep below {folder} was started with {' '.join(str(o.input_line) for o in own)}."
    if not listed:
        raise ConfigError(f"{said} There is none; leave out resume=true to start it")
    raise ConfigError("\n".join([f"{said} There are, newest first:", *listed]))


def _grid(overrides: Sequence[Override]) -> dict[str, frozenset[str]]:
    """Give the values of each key, whatever the order in which they were typed."""
    return {
        override.get_key_element(): frozenset(
            override.sweep_string_iterator()
            if override.is_discrete_sweep()
            else [override.get_value_element_as_str()]
        )
        for override in overrides
    }


def _numbered(composer: Composer, command: Command, plan: Plan) -> list[list[str]]:
    """List the overrides of each job, as Hydra's grid numbers them."""
    parsed = composer.parse((*plan.searched, *command.overrides))
    kept = [override for override in parsed if not override.is_hydra_override()]
    return [job for batch in BasicSweeper.split_arguments(kept, None) for job in batch]


def _check_unchanged(composer: Composer, overrides: Sequence[str], directory: Path) -> None:
    """Make sure that a job would be composed as it was."""
    whole, problems = composer.compose(composer.parse(tuple(overrides)))
    if whole is None or problems:
        raise ConfigError("\n".join(problems))
    then, now = (_compared(config) for config in (OmegaConf.load(directory / SAVED), whole))
    keys = dict.fromkeys(key for values in (then, now) for key in dotted_keys(values, {}))
    # The last of them is no group.
    changed = [key for key in keys if _value(then, key) != _value(now, key)]
    if changed:
        key = changed[-1]
        raise ConfigError(
            f"{key} was {shown(_value(then, key))} in {directory}, and would be "
            f"{shown(_value(now, key))} now: the configuration changed since. Bring it back, or "
            "start a new sweep"
        )


def _compared(config: Any) -> dict[str, Any]:
    """Leave out what does not make another job: places, which may have moved, and Hydra's own."""
    whole: Any = OmegaConf.to_container(config, resolve=False)
    apart = ("hydra", "paths", "resume")
    values = {str(key): value for key, value in whole.items() if key not in apart}
    for parent, leaf in USER_PATHS:
        if isinstance(values.get(parent), dict):
            values[parent] = {k: v for k, v in values[parent].items() if k != leaf}
    return values


def _value(values: Any, key: str) -> Any:
    for part in key.split("."):
        inner = dict(enumerate(values)) if isinstance(values, list) else values
        inner = {str(k): v for k, v in inner.items()} if isinstance(inner, dict) else {}
        values = inner.get(part)
    return values
