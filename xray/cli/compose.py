"""Compose configurations with Hydra, and describe problems in terms of the command line."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xray.cli.command import Command, quoted
from xray.config import CONF_DIR
from xray.errors import ConfigError
from xray.suggest import did_you_mean, nearest

MAX_JOBS = 8
"""Jobs of a sweep that are composed, 0.12 s each; of a larger one each value is checked once."""

EXTRAS = {
    "optuna": "optuna",
    "joblib": "cluster",
    "submitit_local": "cluster",
    "submitit_slurm": "cluster",
}
"""Options that need an optional dependency: option -> extra of the package."""


class Composer:
    """Composes the configurations of one command line.

    Args:
        command: The command line.

    Raises:
        ConfigError: A directory of configurations is missing.
    """

    def __init__(self, command: Command) -> None:
        for directory in (command.config_path, command.config_dir):
            if directory is not None and not directory.is_dir():
                raise ConfigError(f"there is no directory of configurations {directory}")
        self.command = command
        folder = command.config_dir
        self._search = [f"hydra.searchpath=[{quoted(folder.as_uri())}]"] if folder else []
        with self._hydra():
            self._loader: ConfigLoader = GlobalHydra.instance().config_loader()

    def parse(self, overrides: tuple[str, ...]) -> list[Override]:
        """Parse overrides.

        Raises:
            ConfigError: An override cannot be parsed, or names an option that does not exist.
        """
        parser = OverridesParser.create(config_loader=self._loader)
        parsed, problems = [], []
        for text in overrides:
            try:
                parsed += parser.parse_overrides([text])
            except HydraException:
                problems.append(
                    f"cannot parse '{text}'. Write key=value; quote a value with special "
                    "characters, and all of it for the shell: 'key=\"value\"'"
                )
        problems += [problem for override in parsed for problem in self._option_problems(override)]
        if problems:
            raise ConfigError("\n".join(problems))
        return parsed

    def is_group(self, override: Override) -> bool:
        """Check whether the override chooses an option of a group."""
        return bool(self._options(override.key_or_group))

    def compose(self, overrides: list[Override]) -> tuple[DictConfig | None, list[str]]:
        """Compose one configuration.

        Args:
            overrides: Parsed overrides, each with one value.

        Returns:
            The configuration without wrong overrides, with Hydra's own node, or None; and the
            problems, one sentence each.
        """
        lines = [str(override.input_line) for override in overrides]
        try:
            with self._hydra():
                return (
                    compose(
                        self.command.config_name,
                        [*self._search, *lines],
                        return_hydra_config=True,
                    ),
                    [],
                )
        except (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError) as error:
            wrong = self._wrong_keys(overrides)
            if not wrong:
                return None, [one_line(error)]
        rest = [override for i, override in enumerate(overrides) if i not in wrong]
        config, more = self.compose(rest)
        return config, [*wrong.values(), *more]

    def _hydra(self) -> initialize_config_dir:
        return initialize_config_dir(
            str(self.command.config_path), job_name=self.command.verb, version_base="1.3"
        )

    def _options(self, group: str) -> list[str]:
        """List the options of a group; empty if there is no such group."""
        return list(
            self._loader.get_group_options(
                group, config_name=self.command.config_name, overrides=self._search
            )
        )

    def _option_problems(self, override: Override) -> Iterator[str]:
        group = override.key_or_group
        options = self._options(group)
        if override.type is OverrideType.DEL or not options:
            return
        for name in _chosen(override):
            if name not in options:
                hint = did_you_mean(nearest(name, options))
                if name in EXTRAS:
                    hint = f" Install it with: pip install -e '.[{EXTRAS[name]}]'."
                yield f"there is no {group} '{name}'.{hint} Options: {', '.join(options)}"

    def _wrong_keys(self, overrides: list[Override]) -> dict[int, str]:
        """Find the overrides of keys that do not exist, or that exist already after a plus."""
        groups = [override for override in overrides if self.is_group(override)]
        if len(groups) == len(overrides):
            return {}
        base, _ = self.compose(groups)
        values = OmegaConf.to_container(base, resolve=False) if base is not None else {}
        found = {
            i: _key_problem(override, values)
            for i, override in enumerate(overrides)
            if not self.is_group(override)
        }
        return {i: problem for i, problem in found.items() if problem}


def one_line(error: BaseException) -> str:
    """Return the message of an exception and of its cause in one line."""
    cause = error.__cause__
    parts = [str(error), *([str(cause)] if cause is not None else [])]
    return ". ".join(" ".join(part.split()) for part in parts if part)


def choices(override: Override) -> list[str]:
    """List the overrides, one value each, that a sweep over this override runs.

    For an interval these are two points just inside its ends.
    """
    key, value = override.get_key_element(), override.value()
    if override.is_discrete_sweep():
        return [f"{key}={text}" for text in override.sweep_string_iterator()]
    if isinstance(value, IntervalSweep) and value.start is not None and value.end is not None:
        if isinstance(value.start, int) and isinstance(value.end, int):
            return [f"{key}={value.start}", f"{key}={value.end}"]
        inset = (value.end - value.start) * 1e-3
        return [f"{key}={value.start + inset}", f"{key}={value.end - inset}"]
    return [str(override.input_line)]


def job_lines(overrides: list[Override]) -> list[tuple[str, ...]]:
    """List the overrides of all jobs of a sweep, or of enough jobs to use each value once."""
    columns = [choices(override) for override in overrides]
    count = 1
    for column in columns:
        count *= len(column)
    if count <= MAX_JOBS:
        return list(product(*columns))
    first = tuple(column[0] for column in columns)
    return [first] + [
        (*first[:i], text, *first[i + 1 :])
        for i, column in enumerate(columns)
        for text in column[1:]
    ]


def _chosen(override: Override) -> list[str]:
    """List the options of a group that an override chooses."""
    if override.is_sweep_override():
        return [text.partition("=")[2] for text in choices(override)]
    value = override.value()
    if isinstance(value, list):
        return [str(item) for item in value]
    return ["null" if value is None else str(value)]


def _key_problem(override: Override, values: Any) -> str | None:
    """Describe what is wrong with the key of an override; None if nothing is."""
    key = override.key_or_group
    parts, node = key.split("."), values
    for i, part in enumerate(parts):
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif override.is_add() or override.is_force_add():
            return None
        elif isinstance(node, Mapping | list):
            return _unknown(key, values)
        else:
            owner = ".".join(parts[:i])
            return (
                f"there is no key '{key}', since {owner} is {'null' if node is None else node}. "
                f"Set all of it: '{owner}={{{part}: ...}}'"
            )
    if override.is_add() and node is not None and not isinstance(override.value(), dict | list):
        return f"there is already a key '{key}'. Remove the plus: {str(override.input_line)[1:]}"
    return None


def _unknown(key: str, values: Any) -> str:
    """Describe a key or group that does not exist, with the nearest one that does."""
    from xray.schema.messages import dotted_keys, no_such_key

    if "/" in key:
        groups = {p.parent.relative_to(CONF_DIR).as_posix() for p in CONF_DIR.glob("*/**/*.yaml")}
        near = did_you_mean(nearest(key, groups | {"hydra/sweeper", "hydra/launcher"}))
        return f"there is no group '{key}'.{near}"
    own = {name: node for name, node in values.items() if name != "hydra"}
    return no_such_key(key, list(dotted_keys(values if key.startswith("hydra.") else own, {})))
