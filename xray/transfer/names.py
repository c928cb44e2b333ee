"""Check that names in an archive are valid and unique on every file system."""

import re
import unicodedata
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from xray.transfer.members import RefusedMemberError

_MAX_PART_BYTES = 255
_MAX_NAME_BYTES = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EXTRANEOUS = ("__MACOSX", "._*", ".DS_Store")


class Names:
    """Paths in use below one folder, compared as by file systems that ignore case.

    Such file systems, and those that normalize accents or drop a dot or space at the end, would
    overwrite one of two different names.
    """

    def __init__(self) -> None:
        self._taken = {"/": (PurePosixPath(), True)}

    def __len__(self) -> int:
        """Return the number of paths in use, including parent folders."""
        return len(self._taken) - 1

    def claim(self, name: str, *, folder: bool) -> PurePosixPath:
        """Return the path of a member below the folder, and mark it as used.

        Args:
            name: Name in the archive.
            folder: Whether the member is a folder, which may occur more than once.

        Raises:
            RefusedMemberError: The path leads out of the folder, is in use, or is not valid on
                every file system.
        """
        path = _relative(name)
        key = ""
        for place in reversed(path.parents):
            key = f"{key}/{_fold(place.name)}"
            self._take(key, place, folder=True)
        self._take(f"{key}/{_fold(path.name)}", path, folder=folder)
        return path

    def _take(self, key: str, place: PurePosixPath, *, folder: bool) -> None:
        if key not in self._taken:
            self._taken[key] = place, folder
            return
        other, is_folder = self._taken[key]
        if other != place:
            raise RefusedMemberError(f"would overwrite {other} on file systems that ignore case")
        if not (folder and is_folder):
            raise RefusedMemberError("has the same path as another member")


def is_extraneous(path: PurePosixPath) -> bool:
    """Return whether a member is metadata that macOS adds."""
    return any(fnmatchcase(part, pattern) for part in path.parts for pattern in _EXTRANEOUS)


def _relative(name: str) -> PurePosixPath:
    if _CONTROL.search(name):
        raise RefusedMemberError("has control characters in its name")
    if "\\" in name or ":" in name:
        raise RefusedMemberError("has a name that is another path on Windows")
    path = PurePosixPath(name)
    if path.is_absolute():
        raise RefusedMemberError("has an absolute path")
    if ".." in path.parts:
        raise RefusedMemberError("leads out of the folder")
    try:
        longest = max((len(part.encode()) for part in path.parts), default=0)
    except UnicodeEncodeError as error:
        raise RefusedMemberError("has a name that is not UTF-8") from error
    if longest > _MAX_PART_BYTES or len(name.encode()) > _MAX_NAME_BYTES:
        raise RefusedMemberError("has a name that is too long")
    return path


def _fold(part: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", part).casefold()).rstrip(" .")
