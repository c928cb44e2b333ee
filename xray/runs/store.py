"""Write the record of a run: environment, data and findings."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xray.files import write_json
from xray.runs import layout
from xray.runs.environment import describe_environment
from xray.runs.reading import read_json


def write_environment(run: Path, seed: int, command: Sequence[str] | None = None) -> None:
    """Write environment.json: versions, git commit, machine, seed and command line.

    Args:
        run: The run directory.
        seed: The run's seed.
        command: The words of the command line; None: those of this process.
    """
    described = describe_environment(seed, sys.orig_argv if command is None else command)
    write_json(run / layout.ENVIRONMENT, described)


def record_facts(run: Path, **facts: Any) -> None:
    """Add facts that are known only after the start to environment.json.

    Args:
        run: The run directory.
        **facts: "weights": source of the initial weights; "compute": see `Compute.record`;
            "finished": end of the last training (ISO 8601, UTC).
    """
    path = run / layout.ENVIRONMENT
    write_json(path, {**read_json(path), **facts})
