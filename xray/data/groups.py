"""Folder names and the classes they mean."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from xray.errors import ConfigError, DataError

NOISE = frozenset({"__macosx", "masks"})
"""Folders that hold no images of their own class: archive litter, and segmentation masks."""


def fold_name(name: str) -> str:
    """Reduce a folder name to what counts: "COVID-19" and "covid_19" are both "covid 19"."""
    return re.sub(r"[\W_]+", " ", name).strip().casefold()


def is_noise(name: str) -> bool:
    """Tell whether a file or folder name is never data: hidden, archive litter, or masks."""
    return name.startswith(".") or name.casefold() in NOISE


def folders_in(folder: Path) -> list[Path]:
    """List the folders in a folder, sorted, without hidden ones, archive litter and masks."""
    return sorted(f for f in folder.iterdir() if f.is_dir() and not is_noise(f.name))


class Groups:
    """Which folder names mean which class.

    Args:
        groups: Class name -> folder names that mean it (the class's own name always does). The
            order of the classes is the order of the network's outputs; the first is the negative
            class.

    Raises:
        ConfigError: With fewer than two classes, or a folder name that stands under two.
    """

    def __init__(self, groups: Mapping[str, Sequence[str]]) -> None:
        if len(groups) < 2:  # noqa: PLR2004
            raise ConfigError(
                f"data.groups has {len(groups)} class(es), {', '.join(groups) or 'none'}; a "
                "classifier needs two."
            )
        self.classes = tuple(groups)
        self._index: dict[str, int] = {}
        for index, (name, folders) in enumerate(groups.items()):
            for folder in {fold_name(folder) for folder in (name, *folders)}:
                if self._index.setdefault(folder, index) != index:
                    other = self.classes[self._index[folder]]
                    raise ConfigError(
                        f"data.groups lists the folder name '{folder}' under '{other}' and under "
                        f"'{name}'; "
                        "a folder can mean one class only."
                    )

    def find(self, name: str) -> int | None:
        """Find the index of the class that a folder name means; None where no class claims it."""
        return self._index.get(fold_name(name))

    def index(self, folder: Path) -> int:
        """Find the class of a folder.

        Args:
            folder: Its path; the last part decides.

        Returns:
            The index of its class.

        Raises:
            DataError: When no class claims that name.
        """
        found, name = self.find(folder.name), fold_name(folder.name)
        if found is not None:
            return found
        near = self.nearest(name)
        hint = f" (the nearest known name is '{near}')" if near else ""
        last = self.classes[-1]
        folders = ", ".join([*self._folders(len(self.classes) - 1), name])
        raise DataError(
            f"{folder} is a folder that no class claims{hint}. Known: {self.describe()}. "
            f"Rename it, move it away, or add its name to a class: 'data.groups.{last}=[{folders}]'"
        )

    def nearest(self, name: str) -> str | None:
        """Find the known folder name that is most like another; None where none is."""
        return next(iter(difflib.get_close_matches(fold_name(name), self._index, n=1)), None)

    def describe(self) -> str:
        """Write the mapping as a line: "normal (healthy, normal), pneumonia (covid, ...)"."""
        return ", ".join(
            f"{name} ({', '.join(self._folders(i))})" for i, name in enumerate(self.classes)
        )

    def as_dict(self) -> dict[str, list[str]]:
        """Give the mapping as plain values, class by class in order."""
        return {name: list(self._folders(i)) for i, name in enumerate(self.classes)}

    def _folders(self, index: int) -> Iterable[str]:
        return sorted(folder for folder, i in self._index.items() if i == index)
