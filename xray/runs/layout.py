"""Names of all files in the directory of a run and in the directory of a sweep.

All paths are relative to that directory. No other module spells these names.
"""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Importing it would import torch, which a report does not need.
    from xray.types import Split

CONFIG = Path(".hydra") / "config.yaml"
"""The composed configuration, written by Hydra."""
SETTINGS = Path(".hydra") / "hydra.yaml"
"""Hydra's own settings, written by Hydra."""
OVERRIDES = Path(".hydra") / "overrides.yaml"
"""The overrides of the command line, written by Hydra."""
ENVIRONMENT = Path("environment.json")
"""Versions, machine, seed and command line."""
DATA = Path("data.json")
"""Classes, counts and hashes of each split, and the result of the audit."""
METRICS = Path("metrics.json")
"""Metrics of each evaluated split."""
CURVES = Path("metrics.csv")
"""Metrics of each epoch."""
FINDINGS = Path("audit") / "findings.csv"
"""Findings of the audit, one per line."""
CHECKPOINTS = Path("checkpoints")
BEST = CHECKPOINTS / "best.ckpt"
LAST = CHECKPOINTS / "last.ckpt"
OPERATING_POINTS = CHECKPOINTS / "operating_points.json"
"""Threshold and temperature fitted on the validation split."""
FIGURES = Path("figures")
GALLERIES = Path("gradcam")
"""Folder of all Grad-CAM galleries."""
GALLERY_INDEX = "index.csv"
SCORECARD = "scorecard.json"
"""Scores of the heatmaps, in the gallery of a split."""
SHORTCUTS = Path("shortcuts.json")
EXTERNAL = Path("external")
"""Folder of all evaluations on other datasets."""
PRIOR_CORRECTED = "_prior_em"
"""Suffix of results whose probabilities were corrected for other class shares."""
REPORT_HTML = Path("report.html")
REPORT_MARKDOWN = Path("report.md")
ERROR = Path("error.txt")
"""The error that ended a job."""
PREDICT = Path("predict")
"""Folder of the predictions of unlabeled images, one folder per input."""

SWEEP_RECORD = Path("multirun.yaml")
"""The configuration of a sweep, written by Hydra."""
SWEEP_TABLE = Path("sweep.csv")
SWEEP_LOCK = ".sweep.lock"
"""Locked by the process that runs a sweep."""


def predictions(split: "Split | str") -> Path:
    """Return the file of a split's predictions."""
    return Path("predictions") / f"{split}.csv"


def gallery(split: "Split | str") -> Path:
    """Return the folder of a split's Grad-CAM overlays."""
    return GALLERIES / split


def failures(split: "Split | str") -> Path:
    """Return the folder of the overlays of a split's confident errors."""
    return gallery(split) / "failures"


def external(root: Path) -> Path:
    """Return the folder of an evaluation on another dataset.

    Args:
        root: The folder of the dataset. Two folders of the same name have two results.
    """
    return EXTERNAL / folder_name(root)


def predict(source: Path) -> Path:
    """Return the folder of the predictions for a file or folder of images."""
    return PREDICT / folder_name(source)


def folder_name(path: Path) -> str:
    """Return the name of a path with six digits of the hash of its absolute form."""
    absolute = path.resolve()
    digest = sha256(str(absolute).encode(errors="surrogateescape")).hexdigest()
    return f"{absolute.name}_{digest[:6]}"
