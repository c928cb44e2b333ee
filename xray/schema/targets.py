"""Choose the model of a class by its `_target_`; check that foreign classes exist."""

import importlib.util
import re
from collections.abc import Mapping
from importlib.machinery import ModuleSpec, PathFinder
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from xray.suggest import did_you_mean, nearest

DEFINED = re.compile(r"^(?:class|def) (\w+)", re.MULTILINE)
"""Names that the source code of a module defines."""


def find_problem(target: str) -> str | None:
    """Describe what is wrong with the dotted path of a class or function, or return None.

    The source code of the module is searched without importing it, which may take many seconds.
    """
    package = target.partition(".")[0]
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", target):
        return f"'{target}' is not a dotted path like my_package.my_module.MyClass."
    spec, rest = _deepest_module(target.split("."))
    if spec is None:
        return f"there is no module '{package}' on the Python path."
    if not rest:
        return f"'{target}' is a module; name a class or function in it."
    return _attribute_problem(spec, rest[0])


def _deepest_module(parts: list[str]) -> tuple[ModuleSpec | None, list[str]]:
    """Return the deepest module of a dotted path and the remaining names, without importing it."""
    spec = importlib.util.find_spec(parts[0])
    for depth in range(1, len(parts)):
        locations = spec.submodule_search_locations if spec else None
        child = PathFinder.find_spec(".".join(parts[: depth + 1]), locations) if locations else None
        if child is None:
            return spec, parts[depth:]
        spec = child
    return spec, []


def _attribute_problem(spec: ModuleSpec, name: str) -> str | None:
    if not spec.has_location or not spec.origin or not spec.origin.endswith(".py"):
        return None
    text = _text(Path(spec.origin))
    names = set(re.findall(r"[A-Za-z_]\w*", text))
    if "import *" in text:
        files = chain.from_iterable(folder.rglob("*.py") for folder in _folders(spec))
        names |= {found for file in files for found in DEFINED.findall(_text(file))}
    if name in names or "__getattr__" in names:
        return None
    return f"there is no '{name}' in {spec.name}." + did_you_mean(nearest(name, names))


def _folders(spec: ModuleSpec) -> list[Path]:
    return [Path(folder) for folder in spec.submodule_search_locations or ()]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="ignore")


class Foreign(BaseModel):
    """A class outside the schema: it must exist; its arguments are not checked."""

    model_config = ConfigDict(extra="allow")

    target: Annotated[str, Field(alias="_target_")]

    def model_post_init(self, _context: Any) -> None:
        """Check that the class exists."""
        problem = find_problem(self.target)
        if problem:
            raise PydanticCustomError(
                "target",
                "cannot use {target}: {problem}",
                {"target": self.target, "problem": problem},
            )


FOREIGN = "<foreign>"


def by_target(known: Mapping[str, type[BaseModel]]) -> Any:
    """Return a type that selects the model by `_target_`.

    Args:
        known: Dotted path -> model. Any other path is `Foreign`.
    """

    def pick(value: Any) -> str:
        target = value.get("_target_") if isinstance(value, Mapping) else None
        return f"<{target}>" if target in known else FOREIGN

    union: Any = Annotated[Foreign, Tag(FOREIGN)]
    for path, model in known.items():
        union = union | Annotated[model, Tag(f"<{path}>")]
    return Annotated[union, Discriminator(pick)]
