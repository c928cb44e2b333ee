"""Finished jobs of a sweep that is resumed, and the check that they would run the same again."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from xray.cli.check import Plan
from xray.cli.command import Command
from xray.cli.compose import MAX_JOBS, Composer, choices
from xray.cli.saved_config import read_config
from xray.cli.sweep_state import Done, read_done
from xray.config import USER_PATHS
from xray.errors import ConfigError
from xray.reporting.sweep import FINISHED, read_sweep
from xray.runs import layout
from xray.schema.messages import dotted_keys, shown

PLACES = ("paths.cache", "cache.dir", "data.audit_dir", "data.root")
"""Keys of directories that may differ between the jobs of a sweep, unless they are swept."""


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
    ignored = ignored_keys(parsed)
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


def ignored_keys(parsed: Sequence[Override]) -> frozenset[str]:
    """Return the keys of directories that may differ between a finished job and the others."""
    swept = {override.key_or_group for override in parsed if override.is_sweep_override()}
    return frozenset(PLACES) - swept


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
    then, now = (_compared(config) for config in (read_config(directory / layout.CONFIG), whole))
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
