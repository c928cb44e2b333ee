"""Change what the run of version 0.1.0 saved."""

from pathlib import Path
from typing import Any

import yaml

RUN = Path("outputs/train/run")
"""The run, in the folder that `older_runs.copy_run` fills."""
SWEEP = Path("outputs/multirun/sweep")


def change_config(run: Path, **values: Any) -> None:
    """Set keys of a saved configuration; "__" stands for the dot between their parts."""
    path = run / ".hydra" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    for key, value in values.items():
        *parents, leaf = key.split("__")
        node = config
        for parent in parents:
            node = node[int(parent)] if isinstance(node, list) else node.setdefault(parent, {})
        node[leaf] = value
    path.write_text(yaml.safe_dump(config, sort_keys=False))
