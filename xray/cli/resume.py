"""`resume=<run directory>`: the command line that goes on with a run, on its own configuration."""

import os
from dataclasses import replace
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

from xray.cli.command import Command, quoted
from xray.config import CONF_DIR, SAVED, load_run_config, run_paths
from xray.errors import ConfigError, RunError

CHANGEABLE = (
    "resume",
    "trainer.",
    "optim.lr",
    "optim.backbone_lr",
    "callbacks.",
    "logger.",
    "paths.",
    "test",
    "threshold",
)
"""Beginnings of the keys that a resumed run can take another value of."""

LAST = Path("checkpoints/last.ckpt")
"""The checkpoint to go on from, in the run directory."""


def resolve_resume(command: Command) -> Command:
    """Turn `resume=<run directory>` into a command that goes on in place.

    It composes from the run's saved configuration, not from today's defaults, with the other
    overrides on top.

    Args:
        command: As typed.

    Returns:
        The same command where nothing is to be resumed.

    Raises:
        ConfigError: Together with another option of a group, or with what cannot change.
        RunError: The directory is missing, or has nothing to go on from.
    """
    asked = asked_for(command)
    if asked is None:
        return command
    if asked is True:
        raise ConfigError(
            "resume=true goes on with a sweep: add -m. To go on with one run, give its directory"
        )
    run = Path(str(asked)).resolve()
    groups = [text for text in command.overrides if (CONF_DIR / _key(text)).is_dir()]
    if groups:
        raise ConfigError(
            f"'{groups[0]}' cannot change in a resumed run, which keeps the options of its "
            "groups; single values may change (trainer.max_epochs=20). Leave it out, or start "
            "a new run"
        )
    # Lightning starts the further processes of a distributed run with keys of Hydra's own.
    changeable = (*CHANGEABLE, "hydra.") if "LOCAL_RANK" in os.environ else CHANGEABLE
    fixed = [text for text in command.overrides if not _key(text).startswith(changeable)]
    if fixed:
        raise ConfigError(
            f"'{fixed[0]}' cannot change in a resumed run, whose network, data and seed are "
            f"those it began with. These can: {', '.join(CHANGEABLE[1:])}. Leave it out, or start "
            "a new run"
        )
    load_run_config(run)
    if not (run / LAST).is_file():
        raise RunError(
            f"{run} has no {LAST} to go on from. Give the directory of a run that finished "
            "an epoch."
        )
    kept = tuple(text for text in command.overrides if _key(text) != "resume")
    anchors = run_paths(run)
    del anchors["paths.run"]
    added = {key: value for key, value in anchors.items() if key not in map(_key, kept)}
    return replace(
        command,
        overrides=(
            "hydra/job_logging=plain",
            f"hydra.job.name={command.verb}",
            f"hydra.run.dir={quoted(str(run))}",
            *(f"{key}={quoted(value)}" for key, value in added.items()),
            *kept,
            f"resume={quoted(str(run))}",
        ),
        config_path=run / SAVED.parent,
        config_name=SAVED.stem,
        config_dir=CONF_DIR,
    )


def asked_for(command: Command) -> object:
    """Give the value of `resume`, True or a directory; None where nothing is to be resumed."""
    primary = command.config_path / f"{command.config_name}.yaml"
    if not primary.is_file() or "resume" not in OmegaConf.load(primary):
        return None
    for text in command.overrides:
        if _key(text) == "resume":
            try:
                return OverridesParser.create().parse_override(text).value()
            except HydraException:
                return None
    return None


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition("@")[0]
