"""Compare finished runs: `python -m xray.compare runs=[<dir>,<dir>]` or `sweep=<dir>`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def compare(cfg: "DictConfig") -> None:
    """Test which runs differ significantly, and write the result to outputs/compare/<time>."""
    # Imported here so that --help and configuration errors are fast.
    from rich.console import Console

    from xray.evaluation import compare as comparison
    from xray.reporting.comparison import write_comparison
    from xray.runs.find import sweep_directories
    from xray.runs.finished import read_runs

    directories = sweep_directories(Path(cfg.sweep)) if cfg.sweep else map(Path, cfg.runs)
    runs = read_runs(list(directories))
    write_comparison(Path(cfg.paths.run), comparison.compare(runs), Console())


def main() -> None:
    """Compose the configuration from the command line and compare."""
    launch("compare", compare)


if __name__ == "__main__":
    main()
