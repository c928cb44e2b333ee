"""From the directory of a run that was to live objects: its data, its network, its tester."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from xray.build import build_data
from xray.config import load_run_config
from xray.data.datamodule import XrayDataModule
from xray.errors import RunError
from xray.evaluation.collector import PredictionCollector
from xray.model.checkpoint import load_model, read_checkpoint, read_identity
from xray.model.classifier import XrayClassifier
from xray.model.operating_point import OperatingPoint
from xray.runs import layout
from xray.runs.reading import read_json
from xray.runs.run import RunFiles
from xray.training.compute import Compute
from xray.training.trainer import build_trainer


def restore(run: Path, *, trust: bool = False) -> tuple[DictConfig, XrayDataModule, XrayClassifier]:
    """Rebuild a finished run from its directory alone.

    Args:
        run: The run directory.
        trust: Whether classes from outside xray may be imported.

    Returns:
        Its configuration, its data, and its best model in evaluation mode on the CPU.

    Raises:
        RunError: When the directory is incomplete, or the data's classes are not the checkpoint's.
    """
    cfg = load_run_config(run)
    data = build_data(cfg)
    model = load_classifier(run / layout.BEST, trust=trust)
    model.check_classes(data.classes)
    return cfg, data, model.eval()


def load_classifier(path: Path, *, trust: bool = False, **changed: Any) -> XrayClassifier:
    """Load a classifier from a checkpoint, as the class that wrote it, on the CPU.

    The operating point of a checkpoint of version 0.1.0 is read from its run directory.

    Args:
        path: A checkpoint, `<run>/checkpoints/<name>.ckpt`.
        trust: Whether classes from outside xray may be imported.
        **changed: Arguments of the model class that replace the checkpoint's hyperparameters.

    Raises:
        RunError: The file is missing or damaged, or it names a foreign class and `trust` is false.
    """
    model: Any = load_model(path, trust=trust, **changed)
    unknown = read_identity(read_checkpoint(path)).operating_point is None
    if unknown and isinstance(model, XrayClassifier):
        model.set_operating_point(recorded_operating_point(path.parents[1]))
    classifier: XrayClassifier = model
    return classifier


def operating_point(run: Path) -> OperatingPoint:
    """Read the operating point of a run: from its best checkpoint, else from its results.

    Raises:
        RunError: A file is missing or damaged.
    """
    stored = read_identity(read_checkpoint(run / layout.BEST)).operating_point
    return recorded_operating_point(run) if stored is None else stored


def recorded_operating_point(run: Path) -> OperatingPoint:
    """Read the operating point of a run of version 0.1.0 from its results.

    The source is checkpoints/operating_points.json, or metrics.json if that file is missing.

    Raises:
        RunError: A file is damaged.
    """
    files = RunFiles(run)
    if points := files.operating_points:
        rule = str(points["rule"])
        return OperatingPoint(rule, points["thresholds"].get(rule), points["temperature"])
    entry: Mapping[str, Any] = files.metrics.get(files.split or "", {})
    temperature = (entry.get("calibration") or {}).get("temperature")
    threshold = entry.get("threshold")
    return OperatingPoint(str(0.5 if threshold is None else threshold), threshold, temperature)


def check_data(run: Path, description: Mapping[str, Any]) -> None:
    """Make sure that a run's data are still what they were: other files would be split otherwise.

    Args:
        run: The run directory.
        description: As `XrayDataModule.describe` gives it now.

    Raises:
        RunError: When a split holds other files.
    """
    then = read_json(run / layout.DATA)["splits"]
    for split, now in description["splits"].items():
        if now["files_sha256"] != then[split]["files_sha256"]:
            raise RunError(
                f"The {split} images are not those of {run}: {then[split]['images']} then, "
                f"{now['images']} now, or other files. What was carved then would be carved "
                "otherwise now, and test images could be trained on. Bring the files back, or "
                "start a new run."
            )


def resume_model(cfg: DictConfig, data: XrayDataModule, last: Path) -> XrayClassifier:
    """Rebuild the classifier of a run that goes on; no weights are sought, `optim` may differ.

    Raises:
        RunError: When the checkpoint cannot be read, or its classes are not those of `data`.
    """
    model = load_classifier(last, optim=OmegaConf.to_container(cfg.optim, resolve=True))
    model.check_classes(data.classes)
    return model


def build_tester(
    gpus: int | Literal["auto"], compute: Compute
) -> tuple[pl.Trainer, PredictionCollector]:
    """Build a Trainer that predicts, in one process.

    Args:
        gpus: As for training; more than one is one, since each process would write the results.
        compute: The run's precision.
    """
    collector = PredictionCollector()
    trainer = build_trainer(
        gpus=min(1, torch.cuda.device_count()) if gpus == "auto" else min(1, gpus),
        require_gpu=False,
        precision=compute.precision,
        callbacks=[pl.callbacks.RichProgressBar(), collector],
    )
    return trainer, collector
