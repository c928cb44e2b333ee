"""Test whether a run uses shortcuts: `python -m xray.shortcuts run=<dir>`."""

from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def shortcuts(cfg: "DictConfig") -> None:
    """Predict a split with parts of the images hidden, and write the differences."""
    # Imported here so that --help and configuration errors are fast.
    from rich.console import Console

    from xray.session.command import open_session
    from xray.session.shortcuts import find_shortcuts

    find_shortcuts(open_session(cfg), cfg.split, Console(), batch_size=cfg.batch_size)


def main() -> None:
    """Compose the configuration from the command line and test for shortcuts."""
    launch("shortcuts", shortcuts)


if __name__ == "__main__":
    main()
