"""Interface of models from outside xray, checked before a run starts."""

import inspect
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import nn

from xray.errors import ConfigError, RunError
from xray.model.network import Network
from xray.types import Classifier

GUIDE = "See docs/extending.md for the required interface."

_STEPS = ("training_step", "validation_step", "test_step", "configure_optimizers")


def check_model(model: Any) -> None:
    """Check that a model has the interface `xray.types.Classifier`.

    Args:
        model: The model, built from the configuration.

    Raises:
        ConfigError: Members are missing, or the model cannot be restored from a checkpoint.
    """
    if isinstance(model, Network):
        return
    name = type(model).__qualname__
    if not isinstance(model, pl.LightningModule):
        raise ConfigError(
            f"model._target_: {name} is not a pytorch_lightning.LightningModule. {GUIDE}"
        )
    missing = [step for step in _STEPS if not is_overridden(step, model, pl.LightningModule)]
    if type(model).forward in (pl.LightningModule.forward, nn.Module.forward):
        missing.insert(0, "forward")
    if not hasattr(model, "classes"):
        missing.insert(0, "classes")
    if missing:
        raise ConfigError(f"The model {name} lacks {', '.join(missing)}. {GUIDE}")
    unsaved = [key for key in _required_arguments(type(model)) if key not in model.hparams]
    if unsaved:
        raise ConfigError(
            f"The model {name} cannot be restored from a checkpoint: its arguments "
            f"{', '.join(unsaved)} are not stored. Call self.save_hyperparameters() in its "
            f"__init__. {GUIDE}"
        )


def check_classes(model: Classifier, classes: Sequence[str]) -> None:
    """Compare a dataset's classes with those of a model.

    Raises:
        RunError: The classes or their order differ.
    """
    if tuple(classes) != tuple(model.classes):
        raise RunError(
            f"The checkpoint was trained on the classes {', '.join(model.classes)} (in this "
            f"order), but the data have {', '.join(classes)}. Use the data.groups of the run that "
            "wrote the checkpoint."
        )


def _required_arguments(model_class: type) -> list[str]:
    kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    _, *parameters = inspect.signature(model_class.__init__).parameters.values()  # type: ignore[misc]
    return [p.name for p in parameters if p.kind in kinds and p.default is p.empty]
