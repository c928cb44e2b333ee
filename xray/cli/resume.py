"""`resume=<run directory>`: continue a run with its own configuration."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from xray.cli.command import Command, quoted
from xray.cli.moved_images import locate_images
from xray.cli.saved_config import resumable_config
from xray.config import CONF_DIR
from xray.errors import ConfigError, RunError
from xray.runs import layout

CHANGEABLE = (
    "resume",
    "images",
    "trust",
    "trainer.",
    "optim.lr",
    "optim.backbone_lr",
    "callbacks.",
    "logger.",
    "paths.",
    "test",
    "threshold",
)
"""Prefixes of the keys that may have another value in a resumed run."""

NAME = "resumed"
"""Name of the configuration that a resumed run is composed from."""


@contextmanager
def resumed(command: Command) -> Iterator[Command]:
    """Turn `resume=<run directory>` into a command that continues the run in its directory.

    The configuration of the run is checked and written to a temporary directory that holds nothing
    else, so that other files in the run directory are not composed.

    Args:
        command: As typed.

    Yields:
        A command that composes the configuration of the run, with the other overrides on top; the
        same command if it resumes nothing.

    Raises:
        ConfigError: An override is not allowed in a resumed run.
        RunError: The directory is missing, has no checkpoint to continue from, or its configuration
            cannot be used.
    """
    asked = find_resume(command)
    if asked is None:
        yield command
        return
    if asked is True:
        raise ConfigError(
            "resume=true resumes a sweep: add -m. To resume one run, pass its directory: "
            "resume=<run directory>"
        )
    run = Path(str(asked)).resolve()
    _check_overrides(command)
    config = _load_config(command, run)
    with tempfile.TemporaryDirectory(prefix="xray-resume-") as folder:
        OmegaConf.save(config, Path(folder) / f"{NAME}.yaml")
        yield _continuing(command, run, Path(folder))


def _load_config(command: Command, run: Path) -> DictConfig:
    """Load and check the configuration of a run, with the folder of its images if `images` is set.

    Raises:
        RunError: The run has no checkpoint to continue from, or its configuration cannot be used.
    """
    config = resumable_config(run, trust=_value(command, "trust") is True)
    images = _value(command, "images")
    if images is not None:
        with open_dict(config):
            config.data.root = str(locate_images(run, Path(str(images))))
    if not (run / layout.LAST).is_file():
        raise RunError(
            f"{run} has no {layout.LAST} to continue from. Pass the directory of a run that "
            "finished an epoch, or start a new run."
        )
    return config


def _continuing(command: Command, run: Path, folder: Path) -> Command:
    """Return a command that composes the configuration in `folder` and writes to `run`."""
    return replace(
        command,
        overrides=(
            "hydra/job_logging=plain",
            f"hydra.job.name={command.verb}",
            f"hydra.run.dir={quoted(str(run))}",
            *(text for text in command.overrides if _key(text) != "resume"),
            f"resume={quoted(str(run))}",
        ),
        config_path=folder,
        config_name=NAME,
        config_dir=CONF_DIR,
    )


def find_resume(command: Command) -> object:
    """Return the value of `resume`, True or a directory; None if nothing is to be resumed."""
    primary = command.config_path / f"{command.config_name}.yaml"
    if not primary.is_file() or "resume" not in OmegaConf.load(primary):
        return None
    return _value(command, "resume")


def _check_overrides(command: Command) -> None:
    groups = [text for text in command.overrides if (CONF_DIR / _key(text)).is_dir()]
    if groups:
        raise ConfigError(
            f"'{groups[0]}' cannot change in a resumed run, which keeps the options of its "
            "groups; single values may change (trainer.max_epochs=20). Remove it, or start a new "
            "run"
        )
    # Lightning starts the other processes of a distributed run with keys of Hydra's own.
    changeable = (*CHANGEABLE, "hydra.") if "LOCAL_RANK" in os.environ else CHANGEABLE
    fixed = [text for text in command.overrides if not _key(text).startswith(changeable)]
    if fixed:
        raise ConfigError(
            f"'{fixed[0]}' cannot change in a resumed run, which keeps its network, data and seed. "
            f"These keys can: {', '.join(CHANGEABLE[1:])}. Remove it, or start a new run"
        )


def _value(command: Command, key: str) -> object:
    """Return the value of a typed override; None if it was not typed or cannot be parsed."""
    for text in reversed(command.overrides):
        if _key(text) == key:
            try:
                return OverridesParser.create().parse_override(text).value()
            except HydraException:
                return None
    return None


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition("@")[0]
