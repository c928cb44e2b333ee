"""Hydra's composition, with its complaints said in our words."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import yaml
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, OverrideType
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xray.cli.command import Command
from xray.config import CONF_DIR
from xray.errors import ConfigError
from xray.suggest import did_you_mean, nearest

MAX_JOBS = 8
"""Composing a job takes 0.12 s; of a larger sweep each value is checked, not each combination."""

EXTRAS = {
    "optuna": "optuna",
    "joblib": "cluster",
    "submitit_local": "cluster",
    "submitit_slurm": "cluster",
}
"""Options that come with an extra of the package."""


class Composer:
    """Composes the configurations of one command line.

    Args:
        command: The command line.

    Raises:
        ConfigError: A directory of configurations is missing.
    """

    def __init__(self, command: Command) -> None:
        version.setbase("1.3")
        setup_globals()
        for directory in (command.config_path, command.config_dir):
            if directory is not None and not directory.is_dir():
                raise ConfigError(f"there is no directory of configurations {directory}")
        path = create_config_search_path(str(command.config_path))
        if command.config_dir is not None:
            path.prepend("command-line", command.config_dir.as_uri(), SearchPathQuery("schema"))
        self.loader = ConfigLoaderImpl(config_search_path=path)
        self.name = command.config_name

    def parse(self, overrides: tuple[str, ...]) -> list[Override]:
        """Parse overrides.

        Raises:
            ConfigError: One or more cannot be read, or name an option that does not exist.
        """
        parser = OverridesParser.create(config_loader=self.loader)
        parsed, problems = [], []
        for text in overrides:
            try:
                parsed += parser.parse_overrides([text])
            except HydraException:
                problems.append(
                    f"cannot read '{text}'. Write key=value; quote a value with special "
                    "characters, and the whole for the shell: 'key=\"value\"'"
                )
        problems += [problem for override in parsed for problem in self._option_problems(override)]
        if problems:
            raise ConfigError("\n".join(problems))
        return parsed

    def is_group(self, override: Override) -> bool:
        """Tell whether the override chooses an option of a group."""
        return bool(self.loader.repository.group_exists(override.key_or_group))

    def _option_problems(self, override: Override) -> Iterator[str]:
        group = override.key_or_group
        if override.type is OverrideType.DEL or not self.is_group(override):
            return
        if override.is_sweep_override():
            chosen = [text.partition("=")[2] for text in choices(override)]
        else:
            value = override.value()
            chosen = (
                [str(v) for v in value]
                if isinstance(value, list)
                else ["null" if value is None else str(value)]
            )
        options = self.loader.get_group_options(group)
        for name in chosen:
            if name not in options:
                hint = did_you_mean(nearest(name, options))
                if name in EXTRAS:
                    hint = f" It comes with: pip install -e '.[{EXTRAS[name]}]'."
                yield f"there is no {group} '{name}'.{hint} There are: {', '.join(options)}"

    def compose(self, overrides: list[Override]) -> tuple[DictConfig | None, list[str]]:
        """Compose one configuration.

        Args:
            overrides: As parsed, each with one value.

        Returns:
            The configuration, Hydra's own node included, without what is wrong; and what is wrong,
            one sentence a problem.
        """
        try:
            lines = [str(override.input_line) for override in overrides]
            return self.loader.load_configuration(self.name, lines, RunMode.RUN), []
        except (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError) as error:
            wrong = self._wrong_keys(overrides)
            if not wrong:
                return None, [one_line(error)]
        rest = [override for i, override in enumerate(overrides) if i not in wrong]
        config, more = self.compose(rest)
        return config, [*wrong.values(), *more]

    def _wrong_keys(self, overrides: list[Override]) -> dict[int, str]:
        """Find the overrides of keys that do not exist (or exist already, behind a plus)."""
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
    """Say an exception in one line, with its cause."""
    cause = error.__cause__
    parts = [str(error), *([str(cause)] if cause is not None else [])]
    return ". ".join(" ".join(part.split()) for part in parts if part)


def choices(override: Override) -> list[str]:
    """List the overrides, one value each, that a sweep over this one runs.

    Of an interval they are two points just inside its ends.
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
    """Expand a sweep: all its jobs, or so many of them that each value occurs once."""
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


def _key_problem(override: Override, values: Any) -> str | None:
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
                f"Set it whole: '{owner}={{{part}: ...}}'"
            )
    if override.is_add() and node is not None and not isinstance(override.value(), dict | list):
        return f"there is a key '{key}' already. Leave out the plus: {str(override.input_line)[1:]}"
    return None


def _unknown(key: str, values: Any) -> str:
    from xray.schema.messages import dotted_keys, no_such_key

    if "/" in key:
        groups = {p.parent.relative_to(CONF_DIR).as_posix() for p in CONF_DIR.glob("*/**/*.yaml")}
        near = did_you_mean(nearest(key, groups | {"hydra/sweeper", "hydra/launcher"}))
        return f"there is no group '{key}'.{near}"
    shown = {name: node for name, node in values.items() if name != "hydra"}
    return no_such_key(key, list(dotted_keys(values if key.startswith("hydra.") else shown, {})))
