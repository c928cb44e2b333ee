"""What a run was made with: versions, source, machine, seed, command line."""

import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import xray
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
    "scikit-learn",
)
_GIT_SECONDS = 10


def describe_environment(seed: int, command: Sequence[str]) -> dict[str, Any]:
    """Tell what a run is made with, in plain values; call it as the run starts.

    Args:
        seed: The run's seed.
        command: The command line, one word an item.

    Returns:
        "started" (ISO 8601, UTC), "command", "seed", "git" (as `git_state` tells it), "python",
        "platform", "cpu" ("model" and the "cores" at this process's disposal), "gpus" (names;
        None where torch is not in use), and "packages" (versions; None for one that is not
        installed).
    """
    return {
        "started": now(),
        "command": list(command),
        "seed": seed,
        "git": git_state(Path(xray.__file__).parents[1]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": {"model": cpu_model(), "cores": core_count()},
        "gpus": _gpu_names(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def now() -> str:
    """Give the time: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def git_state(source: Path) -> dict[str, str | bool] | None:
    """Tell the commit of a source checkout, and whether files differ from it.

    Args:
        source: The checkout's top directory.

    Returns:
        {"commit": str, "dirty": bool}; None where `source` is not the top of a checkout, as with an
        installed wheel, or where there is no git.
    """
    # A virtual environment often lies within somebody else's checkout, which is not ours to name.
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
    # What did not import it needs no GPU, and importing it takes seconds.
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
