"""Folder names of each class."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xray.data.names import fold_name, split_of
from xray.errors import ConfigError, DataError
from xray.suggest import nearest, override

if TYPE_CHECKING:
    from collections.abc import Iterable

TWO_CLASS: dict[str, list[str]] = {
    "normal": ["normal", "no finding", "no findings", "healthy", "negative"],
    "pneumonia": [
        *("pneumonia", "covid", "covid 19", "covid19", "covid 19 pneumonia", "sars cov 2"),
        *("viral pneumonia", "bacterial pneumonia", "virus", "bacteria", "lung opacity"),
        "positive",
    ],
}
"""Default grouping, the same as conf/data/groups/two_class.yaml."""


class Groups:
    """Mapping of folder names to classes.

    Args:
        groups: Class name -> folder names of the class; the name of the class itself is always one
            of them. The order of the classes is the order of the network's outputs; the first is
            the negative class.

    Attributes:
        classes: Class names, in order.

    Raises:
        ConfigError: There are fewer than two classes, or two classes share a folder name.
    """

    def __init__(self, groups: Mapping[str, Sequence[str]]) -> None:
        if len(groups) < 2:  # noqa: PLR2004
            raise ConfigError(
                f"data.groups has {len(groups)} class(es), {', '.join(groups) or 'none'}, but a "
                "classifier needs at least two. Add a class, or pass data/groups=two_class."
            )
        self.classes = tuple(groups)
        self._index: dict[str, int] = {}
        for index, (name, folders) in enumerate(groups.items()):
            for folder in {fold_name(str(folder)) for folder in (name, *folders)}:
                if self._index.setdefault(folder, index) != index:
                    other = self.classes[self._index[folder]]
                    raise ConfigError(
                        f"data.groups lists the folder name '{folder}' under '{other}' and under "
                        f"'{name}'. A folder belongs to one class: remove one of the two."
                    )

    def find(self, name: str) -> int | None:
        """Return the index of the class of a folder name, or None if it belongs to no class."""
        return self._index.get(fold_name(name))

    def index(self, folder: Path) -> int:
        """Return the index of the class of a folder.

        Args:
            folder: Path of the folder; only its last part is used.

        Raises:
            DataError: The name belongs to no class.
        """
        found = self.find(folder.name)
        if found is None:
            raise DataError(self.explain_unknown([folder]))
        return found

    def explain_unknown(self, folders: Sequence[Path]) -> str:
        """Describe folders that belong to no class, with the options that add them to a class.

        Args:
            folders: Unknown folders in the same parent folder.
        """
        names = {folder.name: fold_name(folder.name) for folder in folders}
        lines = [
            f"{folders[0].parent} contains images in folders that belong to no class: "
            f"{', '.join(map(self._mention, names))}. Rename each of them, move it out of the "
            "dataset, or add it to the class that it belongs to with one of its options:"
        ]
        for name, folded in names.items():
            lines += [f"  {name!r} to {c}: {self._option(c, folded)}" for c in self.classes]
        return "\n".join(lines)

    def _mention(self, name: str) -> str:
        """Quote a folder name, with the known name that it resembles."""
        split = split_of(re.sub(r"(?i)[\W_]*(set|data|images?)?[\W_\d]*$", "", name))
        if split:
            return f"{name!r} (the folder of a split is named '{split}')"
        near = self.nearest(name)
        return f"{name!r} (similar to '{near}')" if near else repr(name)

    def _option(self, class_name: str, folded: str) -> str:
        """Write the command line option that adds a folder name to a class."""
        known = self._folders(self.classes.index(class_name))
        key = class_name if re.fullmatch(r"\w+", class_name) else f'"{class_name}"'
        return override(f"data.groups.{key}", [*known, folded])

    def nearest(self, name: str) -> str | None:
        """Return the known folder name that is most similar to a name, or None."""
        return nearest(fold_name(name), self._index)

    def describe(self) -> str:
        """Write the mapping as one line: "normal (healthy, normal), pneumonia (covid, ...)"."""
        return ", ".join(
            f"{name} ({', '.join(self._folders(i))})" for i, name in enumerate(self.classes)
        )

    def as_dict(self) -> dict[str, list[str]]:
        """Return the mapping as plain values, in the order of the classes."""
        return {name: list(self._folders(i)) for i, name in enumerate(self.classes)}

    def _folders(self, index: int) -> "Iterable[str]":
        return sorted(folder for folder, i in self._index.items() if i == index)
