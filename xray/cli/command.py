"""Parse a command line."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from xray.config import CONF_DIR
from xray.errors import ConfigError


@dataclass(frozen=True)
class Command:
    """A command line that runs something.

    Attributes:
        verb: The name of the command, such as "train".
        overrides: `key=value` and `group=option`, in Hydra's grammar.
        multirun: Whether it is a sweep.
        config_path: Directory of the primary configuration.
        config_name: File name of the primary configuration, without its ending.
        config_dir: A directory of additional groups.
    """

    verb: str
    overrides: tuple[str, ...]
    multirun: bool
    config_path: Path
    config_name: str
    config_dir: Path | None

    def argv(self) -> list[str]:
        """Return the arguments for Hydra."""
        flags = ["--multirun"] if self.multirun else []
        flags += ["--config-dir", str(self.config_dir)] if self.config_dir else []
        return [*flags, *self.overrides]

    def adding(self, *overrides: str) -> "Command":
        """Return the same command with more overrides."""
        return replace(self, overrides=(*self.overrides, *overrides))


def read_flags(argv: Sequence[str]) -> Namespace:
    """Parse the arguments; flags may stand anywhere.

    Args:
        argv: The arguments, without the name of the program.

    Raises:
        ConfigError: There is no such flag.
    """
    arguments, unknown = _parser().parse_known_intermixed_args(list(argv))
    if unknown:
        name = unknown[0].lstrip("-")
        advice = f"Write keys without dashes: {name}" if "=" in name else "See --help."
        raise ConfigError(f"there is no flag '{unknown[0]}'. {advice}")
    return arguments


def read_command(verb: str, arguments: Namespace) -> Command:
    """Return the command that the arguments describe."""
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
    # Hydra takes longer to import than --help may take.
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.single).with_quotes()


def _parser() -> ArgumentParser:
    """Return a parser of Hydra's flags, except for the one that reruns a job from a pickle."""
    # Abbreviations would turn --c into --cfg.
    parser = ArgumentParser(add_help=False, allow_abbrev=False, argument_default=None)
    parser.add_argument("--version", action="version", version=f"xray {version('xray')}")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--multirun", "-m", action="store_true")
    parser.add_argument("--run", "-r", action="store_true")
    parser.add_argument("--config-path", "-cp")
    parser.add_argument("--config-name", "-cn")
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    parser.add_argument("--package", "-p")
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--hydra-help", action="store_true")
    parser.add_argument("--shell-completion", "-sc", action="store_true")
    shows = ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"]
    parser.add_argument("--info", "-i", nargs="?", const="all", choices=shows, help=SUPPRESS)
    return parser
