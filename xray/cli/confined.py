"""Check that a run directory from someone else cannot write outside itself."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from xray.errors import RunError
from xray.schema.trusted import find_untrusted

TRUST = "If you trust this run directory, add trust=true."

_REFERENCE = re.compile(r"\$\{\.*\w[\w.\[\]-]*\}")
"""An interpolation that refers to another key and calls no resolver."""

_FIELD = re.compile(r"\{[\w/]*(:0?\d*(\.\d+)?[dfeg]?)?\}")
"""A placeholder in the name of a checkpoint, such as {epoch:02d}, that only forms digits."""

_FOLDERS = frozenset({"dirpath", "save_dir", "root_dir", "log_dir", "default_root_dir"})
"""Arguments of callbacks and loggers that are directories to write to."""


def check_links(directory: Path, advice: str = TRUST) -> None:
    """Check that no symbolic link in a run or sweep directory leads out of it.

    Args:
        directory: The directory.
        advice: How to continue, as a sentence.

    Raises:
        RunError: One does, so that files would be written elsewhere.
    """
    inside = directory.resolve()
    for path in directory.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise RunError(
                f"{path} is a symbolic link to {path.resolve()}, outside {directory}. xray could "
                f"write there. {advice}"
            )


def check_references(path: Path, saved: dict[str, Any]) -> None:
    """Check that the interpolations in a configuration only refer to other keys.

    Args:
        path: File of the configuration, for messages.
        saved: The configuration, interpolations not resolved.

    Raises:
        RunError: One calls a resolver, which could read the environment.
    """
    for key, text in _texts(saved):
        if has_resolver(text):
            raise _not_a_reference(path, key, text)


def check_values(path: Path, run: Path, values: dict[str, Any]) -> None:
    """Check that a configuration calls only trusted classes, and writes only to the run directory.

    Args:
        path: File of the configuration, for messages.
        run: The run directory.
        values: The configuration, interpolations resolved.

    Raises:
        RunError: The configuration does more than that.
    """
    for key, text in _texts(values):
        # The parts of two values can form an interpolation.
        if "${" in text:
            raise _not_a_reference(path, key, text)
    for problem in find_untrusted(values):
        raise RunError(f"{path}: {problem}. Opening this run would execute it. {TRUST}")
    check_confined(path, run, values)


def check_confined(path: Path, run: Path, values: dict[str, Any]) -> None:
    """Check that callbacks and loggers write only to the run directory.

    Args:
        path: File of the configuration, for messages.
        run: The run directory.
        values: The configuration, interpolations resolved.

    Raises:
        RunError: One would write elsewhere.
    """
    for group in ("callbacks", "logger"):
        for key, text in _texts(values.get(group) or {}, group):
            if _is_outside(key, text, run.resolve()):
                raise RunError(
                    f"{path}: {key} is {text!r}, which is not inside the run directory. xray would "
                    f"write there. {TRUST}"
                )


def has_resolver(text: str) -> bool:
    """Check whether a text has an interpolation that is more than a reference to another key."""
    return "${" in _REFERENCE.sub("", text)


def _not_a_reference(path: Path, key: str, text: str) -> RunError:
    return RunError(
        f"{path}: {key} is {text!r}, but a saved configuration may only refer to other keys. "
        f"{TRUST}"
    )


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """List the dotted keys and values of all texts, and of folders whatever their type."""
    children: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in children:
        name = f"{path}.{key}" if path else str(key)
        if isinstance(item, dict | list):
            yield from _texts(item, name)
        elif isinstance(item, str) or (key in _FOLDERS and item is not None):
            yield name, str(item)


def _is_outside(key: str, text: str, run: Path) -> bool:
    """Check whether a text of a callback or logger is a path outside the run directory."""
    path = PurePath(text)
    # Lightning's loggers expand variables and "~", and its checkpoints accept URLs.
    if ".." in path.parts or "://" in text or "$" in text or text.startswith("~"):
        return True
    # Other formats form any character: {epoch:c} in epoch 46 is a dot.
    if not {"{", "}"}.isdisjoint(_FIELD.sub("", text)):
        return True
    if path.is_absolute():
        return not Path(text).resolve().is_relative_to(run)
    # A relative directory would be relative to the working directory.
    return key.rpartition(".")[2] in _FOLDERS
