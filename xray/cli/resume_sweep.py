"""`-m ... resume=true`: continue an interrupted sweep in its own directory."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from xray.cli.check import Plan
from xray.cli.command import Command, quoted
from xray.cli.compose import MAX_JOBS, Composer, choices
from xray.cli.confined import check_links
from xray.cli.moved_images import locate_images
from xray.cli.recorded import check_recorded
from xray.cli.sweep_state import Done, Started, read_done, read_started, started_below
from xray.config import USER_PATHS
from xray.errors import ConfigError, RunError
from xray.reporting.sweep import FINISHED, read_sweep
from xray.runs import layout
from xray.schema.messages import dotted_keys, shown

PLACES = ("paths.cache", "cache.dir", "data.audit_dir", "data.root")
"""Keys of directories that may differ between the jobs of a sweep, unless they are swept."""


def resolve_sweep(command: Command, asked: object) -> tuple[Command, Started]:
    """Turn `-m resume=...` into the command that the sweep was started with.

    Args:
        command: As typed.
        asked: The value of `resume`: True for the newest sweep with the same overrides, or the
            directory of one.

    Returns:
        A command with the overrides of the sweep in their order, which numbers its jobs, that
        writes to its directory; and the sweep.

    Raises:
        ConfigError: There is no such sweep, or it cannot be resumed.
        RunError: The directory is not that of a sweep, or its record would run code or write
            elsewhere.
    """
    composer = Composer(command)
    given = {o.key_or_group: o for o in composer.parse(command.overrides)}
    typed = [o for key, o in given.items() if key not in {"resume", "trust", "images"}]
    if "hydra.sweep.dir" in given:
        raise ConfigError(
            "A resumed sweep continues in its own directory. Remove hydra.sweep.dir, or pass "
            "resume=<that directory>"
        )
    own = [override for override in typed if not override.is_hydra_override()]
    sweep = _find(composer, asked, typed, own)
    if not sweep.grid or "hydra/sweeper" in given:
        raise ConfigError(
            f"{sweep.directory} cannot be resumed as a search: its next values depend on earlier "
            "results. Start a new sweep, or list the values"
        )
    parsed = composer.parse(sweep.overrides)
    if "trust" not in given or given["trust"].value() is not True:
        check_links(sweep.directory)
        # Overrides that were typed again are the user's own.
        check_recorded(composer, sweep, [] if own else parsed)
    recorded = [str(o.input_line) for o in parsed if o.key_or_group not in PLACES[:3]]
    places = _places(composer, typed, parsed)
    if "images" in given:
        places.append(f"data.root={quoted(_images(sweep, str(given['images'].value())))}")
    hydras = [str(o.input_line) for o in typed if o.is_hydra_override()]
    directory = f"hydra.sweep.dir={quoted(str(sweep.directory))}"
    return replace(command, overrides=(*recorded, *places, *hydras, directory)), sweep


def read_back(command: Command, plan: Plan) -> dict[int, Done]:
    """Read the finished jobs of a sweep that is resumed, and check that they belong to it.

    Args:
        command: What `resolve_sweep` returns.
        plan: The plan of that command.

    Returns:
        Number -> job.

    Raises:
        ConfigError: A finished job had other overrides or another configuration than it would have
            now.
    """
    assert plan.directory is not None
    assert plan.monitor is not None
    composer = Composer(command)
    parsed = composer.parse((*plan.searched, *command.overrides))
    ignored = _ignored(parsed)
    jobs = _numbered(parsed, ignored)
    done = {
        int(job.directory.name): job
        for job in read_sweep(plan.directory, *plan.monitor)
        if job.state == FINISHED
    }
    for number, job in sorted(done.items()):
        now = jobs[number] if number < len(jobs) else None
        then = [text for text in job.overrides if text.partition("=")[0] not in ignored]
        # A job that was resumed alone has no record of its first overrides.
        alone = any(text.startswith("resume=") for text in job.overrides)
        if now is None or (sorted(now) != sorted(then) and not alone):
            raise ConfigError(
                f"job {number} of {plan.directory} ran with {' '.join(then)}, but would now run "
                f"with {' '.join(now) if now is not None else 'none'}. Start a new sweep"
            )
    for number in sorted(done)[:MAX_JOBS]:
        _check_unchanged(composer, jobs[number], done[number].directory)
    return {number: read_done(job.directory, job.value) for number, job in done.items()}


def clear_unfinished(directory: Path, done: Mapping[int, Done]) -> None:
    """Delete the directories of the jobs that run again: each starts from the beginning.

    A job that continued from its last checkpoint after an early stop would train one epoch more
    than a job that was not interrupted.

    Raises:
        RunError: A directory cannot be deleted.
    """
    for path in directory.iterdir():
        if path.name.isdigit() and path.is_dir() and int(path.name) not in done:
            try:
                shutil.rmtree(path)
            except OSError as error:
                reason = f"{path} cannot be deleted ({error.strerror})"
                raise RunError(f"{reason}. Delete it, and resume again.") from error


def _find(
    composer: Composer, asked: object, typed: Sequence[Override], own: Sequence[Override]
) -> Started:
    if asked is True:
        return _newest(composer, typed, own)
    sweep = read_started(Path(str(asked)).resolve())
    if _grid(own) and _grid(own) != _grid(composer.parse(sweep.overrides)):
        raise ConfigError(
            f"{sweep.directory} was started with other overrides: "
            f"{' '.join(sweep.overrides)}. Pass these, or none"
        )
    return sweep


def _newest(composer: Composer, typed: Sequence[Override], own: Sequence[Override]) -> Started:
    whole = _compose_fixed(composer, typed)
    folder = Path(OmegaConf.select(whole, "hydra.sweep.dir")).resolve().parent
    sweeps = started_below(folder)
    grid = _grid(own)
    for sweep in sweeps:
        try:
            if _grid(composer.parse(sweep.overrides)) == grid:
                return sweep
        except ConfigError:
            # It chose an option that no longer exists.
            continue
    listed = [f"  {sweep.directory}: {' '.join(sweep.overrides)}" for sweep in sweeps]
    typed_now = " ".join(str(o.input_line) for o in own)
    problem = f"No sweep in {folder} was started with {typed_now}."
    if not listed:
        raise ConfigError(f"{problem} There are no sweeps; remove resume=true to start one")
    raise ConfigError("\n".join([f"{problem} Sweeps, newest first:", *listed]))


def _compose_fixed(composer: Composer, overrides: Sequence[Override]) -> Any:
    """Compose the overrides that have one value."""
    fixed = [override for override in overrides if not override.is_sweep_override()]
    whole, problems = composer.compose(fixed)
    if whole is None or problems:
        raise ConfigError("\n".join(problems))
    return whole


def _places(
    composer: Composer, typed: Sequence[Override], recorded: Sequence[Override]
) -> list[str]:
    """Return overrides that let the jobs use the caches of this command, not the recorded ones."""
    if not any(o.key_or_group.startswith("paths.") for o in (*typed, *recorded)):
        return []
    cache = Path(_compose_fixed(composer, typed).paths.cache).resolve()
    return [f"paths.cache={quoted(str(cache))}"]


def _images(sweep: Started, folder: str) -> str:
    """Return the folder that holds the images of a sweep, by what its jobs predicted."""
    jobs = sorted(sweep.directory.glob(f"[0-9]*/{layout.DATA}")) or [
        sweep.directory / "0" / layout.DATA
    ]
    return str(locate_images(jobs[0].parent, Path(folder)))


def _ignored(parsed: Sequence[Override]) -> frozenset[str]:
    """Return the keys of directories that may differ between a finished job and the others."""
    swept = {override.key_or_group for override in parsed if override.is_sweep_override()}
    return frozenset(PLACES) - swept


def _grid(overrides: Sequence[Override]) -> dict[str, frozenset[str]]:
    """Return the values of each key, in any order, without directories that may differ."""
    ignored = _ignored(overrides)
    return {
        override.get_key_element(): frozenset(
            override.sweep_string_iterator()
            if override.is_discrete_sweep()
            else [override.get_value_element_as_str()]
        )
        for override in overrides
        if override.key_or_group not in ignored
    }


def _numbered(parsed: Sequence[Override], ignored: frozenset[str]) -> list[list[str]]:
    """List the overrides of each job, in the order in which Hydra numbers the jobs."""
    columns: dict[str, list[str]] = {}
    for override in parsed:
        if override.is_hydra_override() or override.key_or_group in ignored:
            continue
        key = override.get_key_element()
        if override.is_sweep_override():
            columns[key] = choices(override)
        else:
            columns[key] = [f"{key}={override.get_value_element_as_str()}"]
    return [list(job) for job in product(*columns.values())]


def _check_unchanged(composer: Composer, overrides: Sequence[str], directory: Path) -> None:
    """Check that a job would be composed as it was."""
    whole, problems = composer.compose(composer.parse(tuple(overrides)))
    if whole is None or problems:
        raise ConfigError("\n".join(problems))
    then, now = (_compared(config) for config in (OmegaConf.load(directory / layout.CONFIG), whole))
    keys = dict.fromkeys(key for values in (then, now) for key in dotted_keys(values, {}))
    # A group is listed before its keys, so the last change is that of a single key.
    changed = [
        key for key in keys if _value(then, key) != _value(now, key) and not _is_new(then, key)
    ]
    if changed:
        key = changed[-1]
        raise ConfigError(
            f"{key} was {shown(_value(then, key))} in {directory}, and would be "
            f"{shown(_value(now, key))} now: the configuration changed in between. Restore it, or "
            "start a new sweep"
        )


def _compared(config: Any) -> dict[str, Any]:
    """Leave out what does not change a job: directories, which may have moved, and Hydra's keys."""
    whole: Any = OmegaConf.to_container(config, resolve=False)
    apart = ("hydra", "paths", "resume", "images", "trust")
    values = {str(key): value for key, value in whole.items() if key not in apart}
    for parent, leaf in (*USER_PATHS, ("data", "audit_dir")):
        if isinstance(values.get(parent), dict):
            values[parent] = {k: v for k, v in values[parent].items() if k != leaf}
    return values


def _is_new(then: Any, key: str) -> bool:
    """Check whether an older version had the group of a key, but not the key."""
    parent, _, leaf = key.rpartition(".")
    group = _value(then, parent) if parent else then
    return isinstance(group, dict) and leaf not in group and parent not in {"callbacks", "logger"}


def _value(values: Any, key: str) -> Any:
    for part in key.split("."):
        inner = dict(enumerate(values)) if isinstance(values, list) else values
        inner = {str(k): v for k, v in inner.items()} if isinstance(inner, dict) else {}
        values = inner.get(part)
    return values
