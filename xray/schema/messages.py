"""What pydantic found, said in one sentence each that names the key as the user types it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from xray.suggest import did_you_mean, nearest, nearest_key

LONGEST = 60
"""Characters of a value that are shown."""


def shown(value: Any) -> str:
    """Write a value as the command line would have it, shortened."""
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def dotted_keys(values: Any, known: Mapping[str, type[BaseModel]], path: str = "") -> Iterator[str]:
    """List every dotted key: those that are there, and the optional ones of known classes.

    Args:
        values: The configuration, nested.
        known: Dotted path of a class -> its model.
        path: Where `values` stands.
    """
    if isinstance(values, list):
        values = dict(enumerate(values))
    if not isinstance(values, Mapping):
        return
    model = known.get(str(values.get("_target_")))
    optional = [name for name in model.model_fields if name != "target"] if model else []
    children = {str(key): value for key, value in values.items() if key != "_target_"}
    for key in dict.fromkeys([*children, *optional]):
        name = f"{path}.{key}" if path else key
        yield name
        yield from dotted_keys(children.get(key), known, name)


def interpolated_keys(node: Any, path: str = "") -> Iterator[str]:
    """List the dotted keys whose values are interpolations.

    Args:
        node: The configuration, nested, interpolations not resolved.
        path: Dotted key of `node`.
    """
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in children:
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, dict | list):
            yield from interpolated_keys(value, name)
        elif isinstance(value, str) and "${" in value:
            yield name


def no_such_key(key: str, keys: Sequence[str]) -> str:
    """Say that there is no such key, and what may have been meant."""
    others = [name for name in keys if not f"{key}.".startswith(f"{name}.")]
    suggestion = nearest_key(key, others)
    if suggestion:
        return f"there is no key '{key}'.{did_you_mean(suggestion)}"
    parent = key.rpartition(".")[0]
    depth = parent.count(".") + 1 if parent else 0
    siblings = [
        name for name in keys if name.count(".") == depth and name.rpartition(".")[0] == parent
    ]
    listed = ", ".join(name for name in siblings if name != key)
    return f"there is no key '{key}'." + (f" There are: {listed}" if listed else "")


def sentences(
    error: ValidationError,
    values: Mapping[str, Any],
    known: Mapping[str, type[BaseModel]],
    derived: frozenset[str] = frozenset(),
) -> list[str]:
    """Say what is wrong, one sentence a problem.

    Args:
        error: What pydantic found in `values`.
        values: The resolved configuration as plain values.
        known: Dotted path of a class -> its model, for the optional keys that may have been meant.
        derived: Dotted keys interpolated from others; left out when anything else is wrong.
    """
    found = [(_key(detail, values), detail) for detail in error.errors(include_url=False)]
    own = [(key, detail) for key, detail in found if not _is_derived(key, derived)]
    keys = list(dotted_keys(values, known))
    said = [_sentence(key, detail, keys) for key, detail in own or found]
    return list(dict.fromkeys(said))


def _is_derived(key: str, derived: frozenset[str]) -> bool:
    parts = key.split(".")
    return any(".".join(parts[: i + 1]) in derived for i in range(len(parts)))


def _key(detail: ErrorDetails, values: Any) -> str:
    """Strip from the location what is not a key: the tags of unions."""
    path: list[str] = []
    for part in detail["loc"]:
        name = str(part)
        if name.startswith("<"):
            continue
        inside = isinstance(values, Mapping) and name in values
        if not inside and not isinstance(values, list) and detail["type"] != "missing":
            break
        path.append(name)
        values = values[part] if inside or isinstance(values, list) else None
    return ".".join(path)


def _sentence(key: str, detail: ErrorDetails, keys: Sequence[str]) -> str:
    kind, context, given = detail["type"], detail.get("ctx", {}), shown(detail["input"])
    match kind:
        case "extra_forbidden":
            said = no_such_key(key, keys)
        case "missing":
            said = f"{key} is missing"
        case "unset":
            said = f"{key} is not set. {context['advice']}"
        case "problem":
            said = detail["msg"]
        case "target":
            said = f"{key}: {detail['msg']}"
        case "literal_error":
            options = re.findall(r"'([^']*)'", str(context["expected"]))
            hint = did_you_mean(nearest(str(detail["input"]), options))
            said = f"{key} is {given}, but must be one of: {', '.join(options)}.{hint}"
        case "wants":
            said = f"{key} is {given}, but must be {context['expected']}"
        case "dict_type" | "model_type" | "model_attributes_type":
            said = f"{key} is {given}, but must be a group of keys"
            said += f". To leave it out: '~{key}'" if detail["input"] is None else ""
        case _:
            said = f"{key} is {given}: {detail['msg']}"
    return said
