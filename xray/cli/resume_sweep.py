"""`-m ... resume=true`: continue an interrupted sweep in its own directory."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from xray.cli.command import Command, quoted
from xray.cli.compose import Composer
from xray.cli.confined import check_links
from xray.cli.finished_jobs import PLACES, ignored_keys
from xray.cli.moved_images import locate_images
from xray.cli.recorded import check_recorded
from xray.cli.sweep_state import Done, Started, read_started, started_below
from xray.errors import ConfigError, RunError
from xray.runs import layout


def resolve_sweep(command: Command, asked: object) -> tuple[Command, Started]:
    """Turn `-m resume=...` into the command that the sweep was started with.

    Args:
        command: The command line.
        asked: The value of `resume`: True for the newest sweep with the same overrides, or the
            directory of a sweep.

    Returns:
        A command that writes to the directory of the sweep, with the overrides of the sweep in
        their order, which determines the numbers of its jobs; and the sweep.

    Raises:
        ConfigError: There is no such sweep, or it cannot be resumed.
        RunError: The directory does not contain a sweep, or its record would run code or write
            elsewhere.
    """
    composer = Composer(command)
    given = {o.key_or_group: o for o in composer.parse(command.overrides)}
    typed = [o for key, o in given.items() if key not in {"resume", "trust", "images"}]
    own = [override for override in typed if not override.is_hydra_override()]
    if "hydra.sweep.dir" in given:
        raise ConfigError(
            "A resumed sweep continues in its own directory. Remove hydra.sweep.dir, or pass "
            "resume=<that directory>"
        )
    sweep = _find(composer, asked, typed, own)
    _check_grid(sweep, given)
    parsed = composer.parse(sweep.overrides)
    if "trust" not in given or given["trust"].value() is not True:
        _check_untrusted(composer, sweep, parsed, {o.key_or_group for o in own})
    recorded = [str(o.input_line) for o in parsed if o.key_or_group not in PLACES[:3]]
    places = _places(composer, typed, parsed)
    if "images" in given:
        places.append(f"data.root={quoted(_images(sweep, str(given['images'].value())))}")
    hydras = [str(o.input_line) for o in typed if o.is_hydra_override()]
    directory = f"hydra.sweep.dir={quoted(str(sweep.directory))}"
    return replace(command, overrides=(*recorded, *places, *hydras, directory)), sweep


def _check_untrusted(
    composer: Composer, sweep: Started, parsed: Sequence[Override], typed: set[str]
) -> None:
    """Check what a sweep recorded; overrides that were typed again are the user's own."""
    check_links(sweep.directory)
    repeated = [o for o in parsed if o.key_or_group in typed]
    others = [o for o in parsed if o.key_or_group not in typed]
    check_recorded(composer, sweep, others, repeated)


def _check_grid(sweep: Started, given: Mapping[str, Override]) -> None:
    if not sweep.grid or "hydra/sweeper" in given:
        raise ConfigError(
            f"{sweep.directory} cannot be resumed as a search: its next values depend on earlier "
            "results. Start a new sweep, or list the values"
        )


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


def _grid(overrides: Sequence[Override]) -> dict[str, frozenset[str]]:
    """Return the values of each key, in any order, without directories that may differ."""
    ignored = ignored_keys(overrides)
    return {
        override.get_key_element(): frozenset(
            override.sweep_string_iterator()
            if override.is_discrete_sweep()
            else [override.get_value_element_as_str()]
        )
        for override in overrides
        if override.key_or_group not in ignored
    }
