"""Translate the errors of pydantic into one sentence each, which names the dotted key."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from xray.suggest import did_you_mean, nearest, nearest_key

LONGEST = 60
"""Maximum number of characters of a value in a message."""


def shown(value: Any) -> str:
    """Return a value as it is written on the command line, shortened."""
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def dotted_keys(values: Any, known: Mapping[str, type[BaseModel]], path: str = "") -> Iterator[str]:
    """Yield the dotted keys of a configuration, and the optional keys of known classes.

    Args:
        values: The configuration as nested plain values.
        known: Dotted path of a class -> its model.
        path: Dotted key of `values`.
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
    """Yield the dotted keys whose values are interpolations.

    Args:
        node: The configuration as nested plain values, with unresolved interpolations.
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
    """Return the message for an unknown key, with the most similar key or the keys of its group."""
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
    return f"there is no key '{key}'." + (f" Keys of this group: {listed}" if listed else "")


def not_an_option(key: str, value: Any, options: Sequence[str]) -> str:
    """Return the message for a value that is none of the options."""
    hint = did_you_mean(nearest(str(value), options))
    return f"{key} is {shown(value)}, but must be one of: {', '.join(options)}.{hint}"


def sentences(
    error: ValidationError,
    values: Mapping[str, Any],
    known: Mapping[str, type[BaseModel]],
    derived: frozenset[str] = frozenset(),
) -> list[str]:
    """Return one sentence per problem.

    Args:
        error: The error raised for `values`.
        values: The resolved configuration as plain values.
        known: Dotted path of a class -> its model, whose optional keys can be suggested.
        derived: Dotted keys that are interpolated from others. Their problems are left out if there
            are other problems.
    """
    found = [(_key(detail, values), detail) for detail in error.errors(include_url=False)]
    own = [(key, detail) for key, detail in found if not _is_derived(key, derived)]
    keys = list(dotted_keys(values, known))
    return list(dict.fromkeys(_sentence(key, detail, keys) for key, detail in own or found))


def _is_derived(key: str, derived: frozenset[str]) -> bool:
    parts = key.split(".")
    return any(".".join(parts[: i + 1]) in derived for i in range(len(parts)))


def _key(detail: ErrorDetails, values: Any) -> str:
    """Return the dotted key of an error: its location without the tags of unions."""
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
    context, value = detail.get("ctx", {}), detail["input"]
    given = f"{key} is {shown(value)}"
    match detail["type"]:
        case "extra_forbidden":
            text = no_such_key(key, keys)
        case "missing":
            text = f"{key} is missing"
        case "unset":
            text = f"{key} is not set. {context['advice']}"
        case "problem":
            text = detail["msg"]
        case "target":
            text = f"{key}: {detail['msg']}"
        case "option":
            text = not_an_option(key, value, context["options"])
        case "literal_error":
            text = not_an_option(key, value, re.findall(r"'([^']*)'", str(context["expected"])))
        case "wants":
            text = f"{given}, but must be {context['expected']}"
        case "dict_type" | "model_type" | "model_attributes_type":
            hint = f". To leave it out: '~{key}'" if value is None else ""
            text = f"{given}, but must be a group of keys{hint}"
        case _:
            text = f"{given}: {detail['msg']}"
    return text
