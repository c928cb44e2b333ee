"""Entry "xray" of a checkpoint, and loading a model from a checkpoint.

The entry contains everything a prediction needs besides the weights: model class, operating point,
input size and evaluation transforms.
"""

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from xray.errors import ConfigError, RunError, XrayError
from xray.files import replacing
from xray.model.operating_point import OperatingPoint
from xray.model.targets import find_targets, is_trusted, locate

KEY = "xray"
FORMAT = 2
DEFAULT_CLASS = "xray.model.classifier:XrayClassifier"
"""Class of the checkpoints of version 0.1.0, which do not name their class."""

_HYPERPARAMETERS = ("hyper_parameters", "hparams", "module_arguments")
"""Entries that Lightning passes to the class; the last two are those of its first versions."""

Transforms = dict[str, Any]
"""Serialized transforms, see `xray.data.transforms.serialize_transforms`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Entry "xray" of a checkpoint.

    Attributes:
        model_class: "module:qualname" of the class that restores the checkpoint.
        operating_point: None in checkpoints of version 0.1.0.
        input_size: Side of the square input images, pixels; None if unknown.
        transforms: Transforms of evaluation images; None if unknown.
    """

    model_class: str = DEFAULT_CLASS
    operating_point: OperatingPoint | None = None
    input_size: int | None = None
    transforms: Transforms | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the checkpoint."""
        point = self.operating_point or OperatingPoint()
        return {
            "format": FORMAT,
            "model_class": self.model_class,
            "operating_point": point.as_dict(),
            "input_size": self.input_size,
            "transforms": self.transforms,
        }


def read_identity(checkpoint: Mapping[str, Any]) -> Identity:
    """Read the entry "xray" of a loaded checkpoint; the defaults if there is none.

    Raises:
        ConfigError: The entry is not a mapping, or the operating point is out of range.
    """
    values = checkpoint.get(KEY) or {}
    if not isinstance(values, Mapping):
        raise ConfigError(f"The entry {KEY!r} is {type(values).__name__}; expected a mapping.")
    point = values.get("operating_point")
    if not isinstance(point, Mapping | None):
        raise ConfigError(f"operating_point is {type(point).__name__}; expected a mapping.")
    return Identity(
        model_class=str(values.get("model_class", DEFAULT_CLASS)),
        operating_point=None if point is None else OperatingPoint.from_dict(point),
        input_size=values.get("input_size"),
        transforms=values.get("transforms"),
    )


def class_name(model: object) -> str:
    """Return "module:qualname" of a model's class."""
    return f"{type(model).__module__}:{type(model).__qualname__}"


def preprocessing(datamodule: Any) -> tuple[int | None, Transforms | None]:
    """Return the input size and the serialized evaluation transforms of a data module.

    Both are None for a data module without a method `input_state`, see `XrayDataModule`.
    """
    if not hasattr(datamodule, "input_state"):
        return None, None
    state = datamodule.input_state()
    return state["input_size"], state["transforms"]


def load_model(path: Path, *, trust: bool = False, **changed: Any) -> pl.LightningModule:
    """Load a model from a checkpoint, as the class that wrote it, on the CPU.

    Args:
        path: A checkpoint file.
        trust: Whether classes from outside xray and torch may be imported.
        **changed: Arguments of the model class that replace the checkpoint's hyperparameters.

    Raises:
        RunError: The file is missing or damaged, or it names a foreign class and `trust` is false.
    """
    checkpoint = read_checkpoint(path)
    identity = read_identity(checkpoint)
    foreign = [] if _is_own(identity.model_class) else [identity.model_class]
    hyperparameters = [checkpoint.get(key) for key in _HYPERPARAMETERS]
    foreign += [name for name in find_targets(hyperparameters) if not is_trusted(name)]
    foreign += [
        str(values["_instantiator"])
        for values in hyperparameters
        if isinstance(values, Mapping) and "_instantiator" in values
    ]
    if foreign and not trust:
        raise RunError(
            f"{path} uses {', '.join(foreign)}, which is not part of xray. Loading it executes its "
            "code. If you trust the origin of the run, pass trust=true."
        )
    model_class = _find_class(identity.model_class, path)
    try:
        return model_class.load_from_checkpoint(
            path, map_location="cpu", weights_only=True, **changed
        )
    except XrayError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint on the CPU without executing code in it; tensors are memory-mapped.

    Raises:
        RunError: The file is missing or damaged.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
            raise TypeError("it contains no state_dict")
    except pickle.UnpicklingError as error:
        # torch's own message is a page that explains how to execute them.
        reason = "it contains other objects than tensors and plain values, or is damaged"
        raise _unreadable(path, TypeError(reason)) from error
    except Exception as error:
        # A damaged file can raise almost any exception.
        raise _unreadable(path, error) from error
    return checkpoint


def store_operating_point(path: Path, point: OperatingPoint) -> None:
    """Rewrite a checkpoint with an operating point, atomically; its modification time stays.

    Args:
        path: A checkpoint; without an entry "xray", it is one of version 0.1.0.
        point: The operating point.

    Raises:
        RunError: The checkpoint is missing or damaged.
    """
    checkpoint = read_checkpoint(path)
    identity = read_identity(checkpoint)
    if identity.operating_point == point:
        return
    checkpoint[KEY] = replace(identity, operating_point=point).as_dict()
    # The newest run is the one with the newest best checkpoint; evaluating it again is no training.
    status = path.stat()
    with replacing(path) as part, part.open("wb") as file:
        torch.save(checkpoint, file)
        file.flush()
        os.fsync(file.fileno())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _is_own(model_class: str) -> bool:
    return model_class.partition(":")[0].split(".")[0] == "xray"


def _find_class(model_class: str, path: Path) -> type[pl.LightningModule]:
    """Import a class by "module:qualname"."""
    try:
        found = locate(model_class.replace(":", "."), "model_class")
    except XrayError as error:
        raise RunError(
            f"{path} was written by the class {model_class}, which cannot be imported. Put its "
            "module on the Python path, under the same name."
        ) from error
    if not (isinstance(found, type) and issubclass(found, pl.LightningModule)):
        raise RunError(
            f"{path} names the class {model_class}, which is not a LightningModule. Choose another "
            "run."
        )
    return found


def _unreadable(path: Path, error: Exception) -> RunError:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    reason = " ".join(str(cause).split())[:300]
    return RunError(
        f"{path} is not a readable checkpoint: {reason}. Train again, or choose another run."
    )
