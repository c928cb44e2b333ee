"""Rebuild the data, the model and a Trainer from the directory of a finished run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf, open_dict

from xray.build import build_data
from xray.cli.moved_images import locate_images
from xray.cli.saved_config import load_run_config
from xray.data.datamodule import XrayDataModule
from xray.data.phantom import PhantomDataModule
from xray.errors import DataError, RunError
from xray.evaluation.collector import PredictionCollector
from xray.model.checkpoint import load_model, read_checkpoint, read_identity
from xray.model.classifier import XrayClassifier
from xray.model.interface import check_classes
from xray.model.operating_point import OperatingPoint
from xray.runs import layout
from xray.runs.reading import read_json
from xray.runs.run import RunFiles
from xray.training.compute import Compute
from xray.training.trainer import build_trainer


def restore(
    run: Path,
    *,
    images: str | Path | None = None,
    paths: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> tuple[DictConfig, XrayDataModule, XrayClassifier]:
    """Rebuild a finished run from its directory alone.

    Args:
        run: The run directory.
        images: Folder that contains the images of the run now; None: the folder used in training.
        paths: See `load_run_config`.
        trust: Whether classes from outside xray may be imported.

    Returns:
        The configuration, the data module, and the best model in evaluation mode on the CPU.

    Raises:
        RunError: The directory is incomplete or not trusted, `images` does not contain the images
            of the run, or the data and the checkpoint have different classes.
    """
    cfg = load_run_config(run, paths=paths, trust=trust)
    if images is not None:
        with open_dict(cfg):
            cfg.data.root = str(locate_images(run, Path(images)))
    data = build_data(cfg)
    model = load_classifier(run / layout.BEST, trust=trust)
    check_classes(model, data.classes)
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


def open_images(run: Path, data: XrayDataModule) -> dict[str, Any]:
    """Find the images of a run and check that they are unchanged.

    Args:
        run: The run directory.
        data: Its data module.

    Returns:
        The description of the data.

    Raises:
        RunError: The folder does not exist, or a split contains other files.
        DataError: The images cannot be read.
    """
    if not data.root.is_dir() and not isinstance(data, PhantomDataModule):
        raise RunError(
            f"The images of {run} are not in {data.root}. If they were moved, pass the folder that "
            "contains them now: images=<folder>."
        )
    try:
        if not (isinstance(data, PhantomDataModule) and data.root.is_dir()):
            data.prepare_data()
        description = data.describe()
    except DataError as error:
        if type(error) is not DataError:
            raise
        # The commands for finished runs name the folder with `images`, not with `data.root`.
        raise DataError(str(error).replace("data.root", "images")) from error
    check_data(run, description)
    return description


def check_data(run: Path, description: Mapping[str, Any]) -> None:
    """Check that each split of a run contains the same files as during training.

    Args:
        run: The run directory.
        description: The current result of `XrayDataModule.describe`.

    Raises:
        RunError: A split contains other files.
    """
    then = read_json(run / layout.DATA)["splits"]
    for split, now in description["splits"].items():
        if now["files_sha256"] != then[split]["files_sha256"]:
            raise RunError(
                f"The {split} images are not those of {run}: {then[split]['images']} during "
                f"training, {now['images']} now, or files with other paths, sizes or classes. The "
                "held-out split could change, so that former test images end up in training. "
                "Restore the files, pass the folder that contains them with images=<folder>, or "
                "start a new run."
            )


def resume_model(cfg: DictConfig, data: XrayDataModule, last: Path) -> XrayClassifier:
    """Rebuild the classifier of a resumed run from its last checkpoint, with `optim` of `cfg`.

    Raises:
        RunError: The checkpoint cannot be read, or its classes are not those of `data`.
    """
    optim = OmegaConf.to_container(cfg.optim, resolve=True)
    # Checkpoints of version 0.1.0 do not contain the seed of the training steps.
    changed = {"optim": optim, "seed": cfg.seed}
    # The operating point is fitted again at the end.
    model: Any = load_model(last, trust=bool(cfg.get("trust")), **changed)
    check_classes(model, data.classes)
    classifier: XrayClassifier = model
    return classifier


def build_tester(
    gpus: int | Literal["auto"], compute: Compute
) -> tuple[pl.Trainer, PredictionCollector]:
    """Build a Trainer for passes over images, in one process.

    Args:
        gpus: Number of GPUs; at most one is used, since each process would write the results.
        compute: Precision and memory layout of the run.
    """
    collector = PredictionCollector()
    trainer = build_trainer(
        gpus=min(1, torch.cuda.device_count()) if gpus == "auto" else min(1, gpus),
        require_gpu=False,
        precision=compute.precision,
        callbacks=[pl.callbacks.RichProgressBar(), collector],
    )
    return trainer, collector
