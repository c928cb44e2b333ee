"""The environment of a run: versions, source, machine, seed and command line."""

import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from xray.machine import core_count, cpu_model

_PACKAGES = (
    "xray",
    "torch",
    "torchvision",
    "pytorch-lightning",
    "torchmetrics",
    "grad-cam",
    "hydra-core",
    "albumentations",
    "opencv-python-headless",
    "numpy",
    "pillow",
    "simplejpeg",
    "scikit-learn",
)
_GIT_SECONDS = 10


def describe_environment(seed: int, command: Sequence[str]) -> dict[str, Any]:
    """Describe the environment of a run in plain values, at its start.

    Args:
        seed: The run's seed.
        command: The words of the command line.

    Returns:
        "started" (ISO 8601, UTC), "command", "seed", "git" (see `git_state`), "python",
        "platform", "cpu" ("model", and the "cores" that this process can use), "gpus" (names;
        None if torch is not imported), and "packages" (versions; None if not installed).
    """
    return {
        "started": now(),
        "command": list(command),
        "seed": seed,
        "git": git_state(Path(__file__).parents[2]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": {"model": cpu_model(), "cores": core_count()},
        "gpus": _gpu_names(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def now() -> str:
    """Return the current time: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def git_state(source: Path) -> dict[str, str | bool] | None:
    """Return the commit of a source checkout, and whether files differ from it.

    Args:
        source: The checkout's top directory.

    Returns:
        {"commit": str, "dirty": bool}; None if `source` is not the top of a checkout, as with an
        installed wheel, or if git is missing.
    """
    # A virtual environment can be inside the checkout of another project.
    top = _git(source, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != source.resolve():
        return None
    commit = _git(source, "rev-parse", "HEAD")
    changes = _git(source, "status", "--porcelain")
    if commit is None or changes is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def _git(source: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(source), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _gpu_names() -> list[str] | None:
    # A process that did not import torch uses no GPU, and importing it takes seconds.
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
