"""Open the run that a command line names."""

from pathlib import Path

from omegaconf import DictConfig

from xray.runs.find import find_run
from xray.session.session import Session


def open_session(cfg: DictConfig) -> Session:
    """Open the run of a command.

    Args:
        cfg: Configuration of a command with the keys run, images, trust, paths and, if it can
            use a GPU, gpus.

    Raises:
        RunError: There is no such run, or it is incomplete or not trusted.
    """
    return Session(
        find_run(Path(cfg.paths.outputs), cfg.run),
        images=Path(cfg.images) if cfg.get("images") else None,
        trust=cfg.get("trust", False),
        gpus=cfg.get("gpus", "auto"),
        paths=cfg.paths,
    )
