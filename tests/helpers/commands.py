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


def call(command: ModuleType, *arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"{command.__name__}.py", *arguments])
        command.main()


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder, by relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(
    command: ModuleType, *arguments: str, below: Path, capsys: pytest.CaptureFixture[str]
) -> str:
    """Call a command that must fail without changing a file below a folder; return its message."""
    before = contents(below)
    with pytest.raises(SystemExit) as stop:
        call(command, *arguments)
    assert stop.value.code == 1
    assert contents(below) == before
    return capsys.readouterr().err
