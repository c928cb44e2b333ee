"""A copy of the run directory of version 0.1.0."""

import shutil
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

FIXTURE = Path(__file__).parents[1] / "fixtures" / "run_v0_1"
PROJECT = b"/home/user/project"
"""The directory in which the run was made, as its files record it."""


def copy_run(folder: Path) -> Path:
    """Copy the fixture into a folder; return the run directory."""
    shutil.copytree(FIXTURE, folder, dirs_exist_ok=True)
    for path in folder.rglob("*"):
        if path.suffix in {".yaml", ".csv", ".json", ".md"}:
            path.write_bytes(path.read_bytes().replace(PROJECT, str(folder).encode()))
    return folder / "outputs" / "train" / "run"


@contextmanager
def project_with_run(folder: Path) -> Iterator[Path]:
    """Copy the fixture into a folder and make it the working directory."""
    copy_run(folder)
    with chdir(folder):
        yield folder
