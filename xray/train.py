"""Fine-tune, test and explain: `python -m xray.train model=vgg16 trainer.gpus=1`."""

from typing import TYPE_CHECKING

from xray.cli import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def train(cfg: "DictConfig") -> float:
    """Train, test and explain in the run directory `cfg.paths.run`.

    Returns:
        The best value of the monitored metric, by which a sweep compares its jobs.
    """
    # Imported here so that --help and configuration errors are fast.
    from rich.console import Console

    from xray.session.training import Training

    return Training(cfg, Console()).run()


def main() -> None:
    """Compose the configuration from the command line and train."""
    launch("train", train)


if __name__ == "__main__":
    main()
