"""Call the classes that a configuration names."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from xray.errors import XrayError
from xray.schema.trusted import current_name, is_trusted, load_class

_OWN_SPECS = frozenset({"data", "model", "trainer"})
"""Groups whose classes, if they are xray's, build nested `_target_`s themselves."""


def construct(node: Any, group: str, **arguments: Any) -> Any:
    """Build the object that a part of the configuration describes.

    Trusted classes are called directly, so that their errors keep their message. Other classes are
    called by `hydra.utils.instantiate`.

    Args:
        node: Values with a `_target_`, or a list of such.
        group: The group of the configuration that `node` belongs to, such as "callbacks".
        **arguments: Further keyword arguments, passed as they are.

    Raises:
        XrayError: What the class raises.
        InstantiationException: A class that is not trusted cannot be imported, or raises another
            error.
    """
    if isinstance(node, DictConfig | ListConfig):
        node = OmegaConf.to_container(node, resolve=True)
    return _construct(node, group, arguments)


def _construct(node: Any, group: str, arguments: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_construct(item, group, {}) for item in node]
    if not isinstance(node, dict):
        return node
    if "_target_" not in node:
        return {key: _construct(item, group, {}) for key, item in node.items()}
    target = current_name(str(node["_target_"]))
    options = {key: value for key, value in node.items() if key not in {"_target_", "_convert_"}}
    directives = [key for key in options if key.startswith("_") and key.endswith("_")]
    if directives or not is_trusted(target, group):
        return _instantiate({**node, "_target_": target}, group, arguments)
    if group not in _OWN_SPECS:
        options = {key: _construct(value, group, {}) for key, value in options.items()}
    return load_class(target)(**{**options, **arguments})


def _instantiate(node: dict[str, Any], group: str, arguments: Mapping[str, Any]) -> Any:
    """Call a class by Hydra; raise an `XrayError` among the causes in place of Hydra's error."""
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    # A data module receives its transforms as objects; a model builds its loss itself.
    recursive = {"_recursive_": False} if group in {"data", "model"} else {}
    try:
        return instantiate({"_convert_": "all", **recursive, **node}, **arguments)
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, XrayError):
            cause = cause.__cause__
        if cause is not None:
            raise cause from error
        raise
