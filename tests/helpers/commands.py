"""Run a command as on the command line."""

import sys
from pathlib import Path
from types import ModuleType

import pytest


def run_below(outputs: Path, command: ModuleType, *arguments: str) -> Path | None:
    """Run a command with its outputs below a folder; return the newest training run there.

    Args:
        outputs: Folder that contains `train/<run>` directories.
        command: Module of the command, such as `xray.evaluate`.
        *arguments: Overrides of its configuration.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [command.__name__, f"paths.outputs={outputs}", *arguments])
        command.main()
    runs = outputs.glob("train/*")
    return max(runs, key=lambda path: path.stat().st_mtime_ns, default=None)
