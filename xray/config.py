"""Where the configuration lies, and how that of a finished run is read again."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xray.errors import RunError

if TYPE_CHECKING:
    from omegaconf import DictConfig

_PACKAGE = Path(__file__).resolve().parent
CONF_DIR: Path = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"
"""The configuration groups: inside the package where a wheel put them, else in the checkout."""

SAVED = Path(".hydra/config.yaml")
"""A run's configuration, in its directory."""

USER_PATHS = (
    ("data", "root"),
    ("model", "weights"),
    ("paths", "outputs"),
    ("paths", "data"),
    ("paths", "cache"),
    ("cache", "dir"),
)
"""Keys that may hold a path relative to the directory where the run was started."""


def prepare_environment() -> None:
    """Set the environment variables that the configuration and imports read, where unset.

    `XRAY_ROOT` is the checkout, where there is one, else the working directory. albumentations asks
    the network for updates when it is imported, unless `NO_ALBUMENTATIONS_UPDATE` is set.
    """
    checkout = CONF_DIR.parent
    root = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    os.environ.setdefault("XRAY_ROOT", str(root))
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


def load_run_config(run: Path) -> "DictConfig":
    """Read the configuration of a run from its directory alone.

    Args:
        run: A run directory.

    Returns:
        The configuration as it was composed then. `paths.run` is that directory as it is now;
        `paths.root` and relative paths are those of the run, wherever this is called from.

    Raises:
        RunError: The directory is missing, is no run, or its configuration cannot be read.
    """
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    path = _saved_config(run)
    try:
        config = OmegaConf.load(path)
        if not isinstance(config, DictConfig) or "paths" not in config:
            raise RunError(f"{path} holds no configuration of a run. Choose another run directory.")
        for key, value in run_paths(run).items():
            OmegaConf.update(config, key, value)
        OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except (OmegaConfBaseException, YAMLError, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path} cannot be read: {reason}. Choose another run directory.") from error
    OmegaConf.set_struct(config, True)
    return config


def run_paths(run: Path) -> dict[str, str]:
    """Find what anchors a saved configuration, wherever one stands now.

    Args:
        run: A run directory.

    Returns:
        Dotted key -> absolute path.
    """
    from omegaconf import OmegaConf

    anchored = {"paths.run": str(run.resolve())}
    settings = run / SAVED.parent / "hydra.yaml"
    if not settings.is_file():
        return anchored
    saved = OmegaConf.load(settings)
    config: Any = OmegaConf.to_container(OmegaConf.load(run / SAVED), resolve=False)
    root = OmegaConf.select(saved, "hydra.job.env_set.XRAY_ROOT")
    if root and Path(root).is_dir() and "${" in config["paths"]["root"]:
        anchored["paths.root"] = root
    started_in = Path(OmegaConf.select(saved, "hydra.runtime.cwd") or run)
    for parent, leaf in USER_PATHS:
        value = config.get(parent, {}).get(leaf)
        if isinstance(value, str) and "${" not in value and (started_in / value).exists():
            anchored[f"{parent}.{leaf}"] = str((started_in / value).resolve())
    return anchored


def _saved_config(run: Path) -> Path:
    if not run.is_dir():
        raise RunError(f"there is no run directory {run}. Give one that a training run printed.")
    path = run / SAVED
    if not path.is_file():
        jobs = sorted(p.parent.parent.name for p in run.glob(f"*/{SAVED}"))
        advice = (
            f"It is a sweep: go on with all of it by -m, or give one of its jobs: {run / jobs[0]}."
            if jobs
            else "Give a run directory, such as outputs/train/<time>_<tag>."
        )
        raise RunError(f"{run} is not a run directory: it has no {SAVED}. {advice}")
    return path
