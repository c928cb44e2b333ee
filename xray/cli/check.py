"""Compose and check every job before any of them starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from xray.cli.command import Command
from xray.cli.compose import Composer, job_lines
from xray.errors import ConfigError

SPAWNS = ("ddp", "ddp_find_unused_parameters_true")
"""Strategies that start other processes with the same command line."""


@dataclass(frozen=True)
class Plan:
    """What a command line runs.

    Attributes:
        multirun: Whether it is a sweep.
        directory: Where the run or the sweep writes; None if the command has no run directory.
        chosen: Whether the command line names that directory.
        monitor: Metric and mode by which jobs are compared; None if the command has none.
        searched: Sweeps that a configuration file defines.
    """

    multirun: bool
    directory: Path | None
    chosen: bool
    monitor: tuple[str, str] | None
    searched: tuple[str, ...] = ()


def check(command: Command) -> Plan:
    """Compose and check everything that a command line runs.

    Raises:
        ConfigError: Something is wrong: one line a problem.
    """
    composer = Composer(command)
    parsed = composer.parse(command.overrides)
    swept = [override for override in parsed if override.is_sweep_override()]
    whole, problems = composer.compose([override for override in parsed if override not in swept])
    if whole is None:
        raise ConfigError("\n".join(problems))
    multirun = command.multirun or whole.hydra.mode == RunMode.MULTIRUN
    if multirun:
        jobs = job_lines([*composer.parse(_searched(whole)), *parsed])
        problems += _sweep_problems(command.verb, whole, swept)
        for number, lines in enumerate(jobs):
            job, found = composer.compose(composer.parse(lines))
            problems += [*found, *_job_problems(command.verb, job, number), *_spawns(job)]
    else:
        problems += [_several(override) for override in swept]
        problems += _job_problems(command.verb, whole, 0)
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))
    return _plan(whole, multirun, [override.key_or_group for override in parsed])


def check_composes(command: Command) -> None:
    """Compose a command line without checking the values.

    Raises:
        ConfigError: It cannot be composed.
    """
    composer = Composer(command)
    _, problems = composer.compose(composer.parse(command.overrides))
    if problems:
        raise ConfigError("\n".join(problems))


def check_values(verb: str, config: DictConfig) -> list[str]:
    """Resolve the configuration of a job and check it with the schema of the command.

    Args:
        verb: The name of the command.
        config: The configuration without Hydra's own node, which `HydraConfig` must hold.

    Returns:
        One sentence a problem.
    """
    from xray.schema.messages import interpolated_keys
    from xray.schema.verbs import problems

    try:
        values: Any = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        return [f"{error.full_key or 'the configuration'}: {' '.join(str(error.msg).split())}"]
    raw = OmegaConf.to_container(config, resolve=False)
    return problems(verb, values, frozenset(interpolated_keys(raw)))


def _job_problems(verb: str, job: DictConfig | None, number: int) -> list[str]:
    if job is None:
        return []
    with open_dict(job):
        job.hydra.job.num = number
        job.hydra.runtime.output_dir = str(Path.cwd())
    config = job.copy()
    with open_dict(config):
        del config["hydra"]
    # ${hydra:...} refers to it.
    HydraConfig.instance().set_config(job)
    try:
        return check_values(verb, config)
    finally:
        HydraConfig.instance().cfg = None


def _searched(whole: DictConfig) -> tuple[str, ...]:
    """List the sweeps that a configuration file defines."""
    params = OmegaConf.select(whole, "hydra.sweeper.params") or {}
    return tuple(f"{key}={value}" for key, value in params.items())


def _several(override: Override) -> str:
    return (
        f"'{override.input_line}' has several values. Add -m to run a job for each, or "
        f"write a list as {override.key_or_group}=[a,b]"
    )


def _sweep_problems(verb: str, whole: DictConfig, swept: list[Override]) -> list[str]:
    """Describe why a command line cannot be a sweep."""
    problems = [
        f"'{override.input_line}' cannot be swept: it is a key of Hydra"
        for override in swept
        if override.is_hydra_override()
    ]
    if whole.hydra.output_subdir is None:
        problems.append(f"{verb} cannot be run as a sweep; remove -m")
    direction = OmegaConf.select(whole, "hydra.sweeper.direction")
    if direction is None:
        problems += [
            f"'{override.input_line}' needs a search: add hydra/sweeper=search, or list values"
            for override in swept
            if override.is_interval_sweep()
        ]
    wanted = {"min": "minimize", "max": "maximize"}.get(
        str(OmegaConf.select(whole, "monitor.mode"))
    )
    given = getattr(direction, "name", direction)
    if isinstance(given, str) and wanted and given != wanted:
        problems.append(
            f"hydra.sweeper.direction is '{given}', but monitor.mode is "
            f"'{whole.monitor.mode}'. Pass hydra.sweeper.direction={wanted}, or choose "
            "hydra/sweeper=search, which follows the monitor"
        )
    return problems


def _spawns(job: DictConfig | None) -> list[str]:
    strategy = OmegaConf.select(job, "trainer.strategy") if job is not None else None
    if strategy not in SPAWNS:
        return []
    return [
        f"trainer.strategy is '{strategy}', but each of its processes would start the whole sweep "
        "again. Give each job one GPU (trainer.gpus=1 trainer.strategy=auto), or start the runs "
        "one by one"
    ]


def _plan(whole: DictConfig, multirun: bool, keys: list[str]) -> Plan:
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    own = whole.hydra.output_subdir is not None
    monitor = OmegaConf.select(whole, "monitor")
    return Plan(
        multirun=multirun,
        directory=Path(OmegaConf.select(whole, key)).resolve() if own else None,
        chosen=key in keys,
        monitor=(monitor.metric, monitor.mode) if monitor else None,
        searched=_searched(whole),
    )
