"""Predict images with a finished run: `python -m xray.predict run=<dir> input=<folder>`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def predict(cfg: "DictConfig") -> None:
    """Predict an image, a folder, a list or a table into predictions.csv, or continue to do so."""
    # Imported here so that --help and configuration errors are fast.
    from rich.console import Console

    from xray.session.command import open_session
    from xray.session.prediction import predict_into

    console = Console()
    summary, folder = predict_into(
        open_session(cfg),
        Path(cfg.input),
        Path(cfg.output) if cfg.output else None,
        cfg.overlays,
        console,
        batch_size=cfg.batch_size,
    )
    console.print(summary.sentence(), soft_wrap=True, highlight=False)
    console.print(f"predictions: {folder}", soft_wrap=True, markup=False, highlight=False)


def main() -> None:
    """Compose the configuration from the command line and predict."""
    launch("predict", predict)


if __name__ == "__main__":
    main()
