"""From the directory of a run that was to live objects: its data, its network, its tester."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from xray.build import build_data, last_line
from xray.config import load_run_config
from xray.data.datamodule import XrayDataModule
from xray.errors import RunError
from xray.evaluation.collector import PredictionCollector
from xray.model.classifier import XrayClassifier
from xray.runs import layout
from xray.runs.reading import read_json
from xray.training.compute import Compute
from xray.training.trainer import build_trainer


def restore(run: Path) -> tuple[DictConfig, XrayDataModule, XrayClassifier]:
    """Rebuild a finished run from its directory alone.

    Args:
        run: The run directory.

    Returns:
        Its configuration, its data, and its best model in evaluation mode on the CPU.

    Raises:
        RunError: When the directory is incomplete, or the data's classes are not the checkpoint's.
    """
    cfg = load_run_config(run)
    data = build_data(cfg)
    model = load_classifier(run / layout.BEST)
    model.check_classes(data.classes)
    return cfg, data, model.eval()


def load_classifier(path: Path, **changed: Any) -> XrayClassifier:
    """Load a classifier from a checkpoint, on the CPU.

    Args:
        path: A checkpoint of ours.
        **changed: Arguments of `XrayClassifier` that replace the checkpoint's.

    Raises:
        RunError: When it is missing, damaged, or not ours.
    """
    try:
        model: XrayClassifier = XrayClassifier.load_from_checkpoint(
            path, map_location="cpu", weights_only=True, **changed
        )
    except Exception as error:
        raise RunError(
            f"{path} is no checkpoint that can be read: {last_line(error)[:300]}. Train anew, "
            "or pass another run."
        ) from error
    return model


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
