"""Evaluate a finished run: `python -m xray.evaluate run=<dir> root=<folder>`."""

from pathlib import Path
from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def evaluate(cfg: "DictConfig") -> None:
    """Evaluate a split of a run's images, or another dataset with the same classes.

    Results of the run's own images replace those of training. Results of another dataset are
    written to external/<name>/.
    """
    # Imported here so that --help and configuration errors are fast.
    from rich.console import Console

    from xray.session.command import open_session
    from xray.session.evaluation import Evaluation

    evaluation = Evaluation(
        split=cfg.split,
        root=Path(cfg.root) if cfg.root else None,
        threshold=cfg.threshold,
        prior=cfg.prior,
        batch_size=cfg.batch_size,
    )
    evaluation.run(open_session(cfg), Console())


def main() -> None:
    """Compose the configuration from the command line and evaluate."""
    launch("evaluate", evaluate)


if __name__ == "__main__":
    main()
