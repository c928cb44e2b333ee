"""Explain a finished run: `python -m xray.gradcam run=<dir> method=gradcam n=16 only=covid`."""

from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def gradcam(cfg: "DictConfig") -> None:
    """Draw overlays of a run's images, COVID-positive ones first, into its gradcam/ folder."""
    # Imported here so that --help and configuration errors are fast.
    from dataclasses import fields

    from rich.console import Console

    from xray.session.command import open_session
    from xray.session.explanation import Gallery

    options = {field.name: cfg[field.name] for field in fields(Gallery)}
    Gallery(**options).run(open_session(cfg), Console())


def main() -> None:
    """Compose the configuration from the command line and explain."""
    launch("gradcam", gradcam)


if __name__ == "__main__":
    main()
