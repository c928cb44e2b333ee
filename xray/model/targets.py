"""Classes named by a `_target_` in a model's hyperparameters."""

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xray.errors import ConfigError

TARGET = "_target_"
_DIRECTIVES = (TARGET, "_partial_")

_TRUSTED = re.compile(r"torch\.(nn|optim)(\.lr_scheduler)?\.[A-Z]\w*")


def is_trusted(target: str) -> bool:
    """Check whether a `_target_` in a checkpoint may be used without `trust=true`.

    Losses, optimizers and schedules of PyTorch are trusted: building one runs no foreign code.

    Examples:
        >>> is_trusted("torch.optim.RMSprop"), is_trusted("os.system")
        (True, False)
    """
    return _TRUSTED.fullmatch(target) is not None


def find_targets(values: Any) -> Iterator[str]:
    """Yield every `_target_` at any depth of nested mappings and sequences."""
    if isinstance(values, Mapping):
        if TARGET in values:
            yield str(values[TARGET])
        for value in values.values():
            yield from find_targets(value)
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for value in values:
            yield from find_targets(value)


def locate(target: str, key: str) -> Any:
    """Import a class or function by its dotted path.

    Args:
        target: For example "torch.optim.RMSprop" or "my_package.losses.Focal".
        key: The configuration key, for the message.

    Raises:
        ConfigError: The path cannot be imported.
    """
    parts = target.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:depth])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
                raise
            continue
        for part in parts[depth:]:
            found = getattr(found, part, None)
        if callable(found):
            return found
        break
    raise ConfigError(
        f"{key}._target_={target} is not a class or function that can be imported. Expected a "
        "dotted path such as my_package.my_module.MyClass, with my_package on the Python path."
    )


def build(spec: Mapping[str, Any], key: str, *args: Any, **defaults: Any) -> Any:
    """Call the class named by a specification.

    Args:
        spec: {"_target_": dotted path, ...}; the other items are keyword arguments, "_partial_"
            is ignored.
        key: The configuration key, for messages.
        *args: Positional arguments.
        **defaults: Keyword arguments that `spec` may replace.

    Raises:
        ConfigError: The path cannot be imported, or the arguments are not accepted.
    """
    made = locate(str(spec[TARGET]), key)
    options = {name: value for name, value in spec.items() if name not in _DIRECTIVES}
    try:
        return made(*args, **{**defaults, **options})
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{key}: {spec[TARGET]} does not accept {options or 'no arguments'}: {error}. "
            f"Correct the arguments below {key}."
        ) from error
