"""Location of the configuration files."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
CONF_DIR: Path = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"
"""Folder of the configuration: in the package if installed from a wheel, else in the checkout."""

USER_PATHS = (
    ("data", "root"),
    ("model", "weights"),
    ("paths", "outputs"),
    ("paths", "data"),
    ("paths", "cache"),
    ("cache", "dir"),
)
"""Keys that may be a path relative to the directory in which the run was started."""


def prepare_environment() -> None:
    """Set the environment variables that the configuration and imports read, if they are unset.

    `XRAY_ROOT` is the checkout if there is one, else the working directory.
    `NO_ALBUMENTATIONS_UPDATE` keeps albumentations from looking for updates when it is imported.
    """
    checkout = CONF_DIR.parent
    root = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    os.environ.setdefault("XRAY_ROOT", str(root))
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
