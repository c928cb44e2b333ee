"""Classes that a saved configuration may name.

A run directory may come from someone else. The classes that its configuration names in `_target_`
are called when the run is opened, so only the ones listed here are accepted without `trust=true`.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

PHANTOMS = "xray.data.phantom.PhantomDataModule"
"""The data module that draws its images."""

ALIASES: Mapping[str, str] = {
    "xray.training.run_checkpoint.RunCheckpoint": (
        "xray.training.callbacks.run_checkpoint.RunCheckpoint"
    ),
}
"""Names in configurations of older versions -> current names."""

_LIGHTNING_CALLBACKS = (
    "DeviceStatsMonitor",
    "EarlyStopping",
    "GradientAccumulationScheduler",
    "LearningRateMonitor",
    "ModelCheckpoint",
    "ModelSummary",
    "RichModelSummary",
    "RichProgressBar",
    "StochasticWeightAveraging",
    "Timer",
    "TQDMProgressBar",
)

TRUSTED: Mapping[str, frozenset[str]] = {
    "data": frozenset({"xray.data.datamodule.XrayDataModule", PHANTOMS}),
    "model": frozenset(
        {"xray.model.classifier.XrayClassifier", "xray.model.classifier.XrayClassifier.create"}
    ),
    "trainer": frozenset({"xray.training.trainer.build_trainer"}),
    "callbacks": frozenset(
        {
            "xray.saliency.callback.GradCAMCallback",
            "xray.training.callbacks.early_stopping.RunEarlyStopping",
            "xray.training.callbacks.run_checkpoint.RunCheckpoint",
            *(f"pytorch_lightning.callbacks.{name}" for name in _LIGHTNING_CALLBACKS),
        }
    ),
    "logger": frozenset(
        {
            "xray.training.loggers.RunCSVLogger",
            "pytorch_lightning.loggers.CSVLogger",
            "pytorch_lightning.loggers.TensorBoardLogger",
        }
    ),
}
"""Group of the configuration -> names of trusted classes and functions, exact."""

_LIBRARIES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "transform": (
        ("albumentations", "albumentations", "BasicTransform"),
        ("albumentations", "albumentations", "BaseCompose"),
    ),
    "model": (("torch.nn", "torch.nn.modules.loss", "_Loss"),),
    "optim": (
        ("torch.optim", "torch.optim", "Optimizer"),
        ("torch.optim.lr_scheduler", "torch.optim.lr_scheduler", "LRScheduler"),
    ),
}
"""Group -> (package, module of a base class, base class); its exported subclasses are trusted."""

_HYDRA_KEYS = frozenset({"_target_", "_partial_", "_convert_"})
"""Keys that Hydra interprets and that a saved configuration may contain."""


def current_name(target: str) -> str:
    """Return the current name of a class that an older version named differently."""
    return ALIASES.get(target, target)


def is_trusted(target: str, group: str) -> bool:
    """Check whether a class may be called without `trust=true`.

    Args:
        target: Dotted name, as in `_target_`.
        group: First part of the key that holds it, such as "callbacks".
    """
    if target in TRUSTED.get(group, ()):
        return True
    package, _, name = target.rpartition(".")
    return any(
        _is_exported_subclass(package, name, allowed, module, base)
        for allowed, module, base in _LIBRARIES.get(group, ())
    )


def _is_exported_subclass(package: str, name: str, allowed: str, module: str, base: str) -> bool:
    """Check that `allowed` exports a subclass `name` of `base`, defined in `package`."""
    if package != allowed and not package.startswith(f"{allowed}."):
        return False
    found = getattr(import_module(allowed), name, None)
    return (
        isinstance(found, type)
        and issubclass(found, getattr(import_module(module), base))
        and package in {allowed, found.__module__}
    )


def is_phantom_folder(root: Path) -> bool:
    """Check whether phantoms were drawn into a folder before."""
    return any(root.glob("phantoms-*/phantoms.json"))


def load_class(target: str) -> Any:
    """Import a trusted class or function by its dotted name."""
    module, parts = target, list[str]()
    while True:
        module, _, last = module.rpartition(".")
        parts.insert(0, last)
        try:
            found: Any = import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module or "." not in module:
                raise
            continue
        for part in parts:
            found = getattr(found, part)
        return found


def find_untrusted(values: Any, path: str = "") -> Iterator[str]:
    """Describe each part of a configuration that would run code outside the trusted classes.

    Args:
        values: The configuration as plain values, interpolations resolved.
        path: Dotted key of `values`.

    Yields:
        One clause per problem, which starts with the dotted key.
    """
    if isinstance(values, list):
        values = dict(enumerate(values))
    if not isinstance(values, dict):
        return
    group = path.partition(".")[0]
    for key, value in values.items():
        name = f"{path}.{key}" if path else str(key)
        if key == "_target_":
            if not isinstance(value, str) or not is_trusted(value, group):
                yield f"{name} is {value!r}, which is not among xray's trusted classes"
        elif _is_hydra_key(key) and key not in _HYDRA_KEYS:
            yield f"{name} changes how Hydra calls a class"
        yield from find_untrusted(value, name)


def _is_hydra_key(key: Any) -> bool:
    return isinstance(key, str) and key.startswith("_") and key.endswith("_")
