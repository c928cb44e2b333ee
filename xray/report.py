"""Write the report of a finished run: `python -m xray.report run=<dir>`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def report(cfg: "DictConfig") -> None:
    """Write report.html and report.md into the run directory."""
    # Imported here so that --help and configuration errors are fast.
    from rich.console import Console

    from xray.cli.confined import check_links
    from xray.reporting.html import write_report
    from xray.runs.find import find_run

    run = find_run(Path(cfg.paths.outputs), cfg.run)
    check_links(run, "Replace the link by a copy of the files.")
    Console().print(f"report: {write_report(run)}", soft_wrap=True)


def main() -> None:
    """Compose the configuration from the command line and write the report."""
    launch("report", report)


if __name__ == "__main__":
    main()
