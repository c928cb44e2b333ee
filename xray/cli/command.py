"""What was typed."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Quote, QuotedString

from xray.config import CONF_DIR
from xray.errors import ConfigError


@dataclass(frozen=True)
class Command:
    """A command line that runs something.

    Attributes:
        verb: The name of the verb.
        overrides: `key=value` and `group=option`, in Hydra's grammar.
        multirun: Whether it is a sweep.
        config_path: Directory of the primary configuration.
        config_name: Its name, without ending.
        config_dir: A directory of further groups.
    """

    verb: str
    overrides: tuple[str, ...]
    multirun: bool
    config_path: Path
    config_name: str
    config_dir: Path | None

    def argv(self) -> list[str]:
        """Write the arguments for Hydra."""
        flags = ["--multirun"] if self.multirun else []
        flags += ["--config-dir", str(self.config_dir)] if self.config_dir else []
        return [*flags, *self.overrides]

    def adding(self, *overrides: str) -> "Command":
        """Return the same command with more overrides."""
        return replace(self, overrides=(*self.overrides, *overrides))


def read_flags(argv: Sequence[str]) -> Namespace:
    """Parse the arguments as Hydra does, but flags may stand anywhere.

    Args:
        argv: Without the program's name.

    Raises:
        ConfigError: There is no such flag.
    """
    # One level of argparse's abbreviations would turn --c into --cfg.
    parser = get_args_parser()
    parser.allow_abbrev = False
    arguments, unknown = parser.parse_known_intermixed_args(list(argv))
    if unknown:
        name = unknown[0].lstrip("-")
        advice = f"Keys are given without dashes: {name}" if "=" in name else "See --help."
        raise ConfigError(f"there is no flag '{unknown[0]}'. {advice}")
    return arguments


def read_command(verb: str, arguments: Namespace) -> Command:
    """Take from the flags what concerns a run."""
    return Command(
        verb=verb,
        overrides=tuple(arguments.overrides),
        multirun=arguments.multirun,
        config_path=Path(arguments.config_path).resolve() if arguments.config_path else CONF_DIR,
        config_name=arguments.config_name or verb,
        config_dir=Path(arguments.config_dir).resolve() if arguments.config_dir else None,
    )


def quoted(text: str) -> str:
    """Quote a value for Hydra's grammar."""
    return QuotedString(text, Quote.single).with_quotes()
