"""Which names of an archive may become files, and that no two become one."""

import re
import unicodedata
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from xray.transfer.members import RefusedMemberError

_MAX_PART_BYTES = 255
_MAX_NAME_BYTES = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LITTER = ("__MACOSX", "._*", ".DS_Store")


class Names:
    """The places taken in one folder, as file systems see them that ignore case.

    On these, and on those that normalise accents or drop a dot or blank at the end, names that
    differ would overwrite each other.
    """

    def __init__(self) -> None:
        self._taken = {"/": (PurePosixPath(), True)}

    def __len__(self) -> int:
        """How many places are taken, with the folders that names imply."""
        return len(self._taken) - 1

    def claim(self, name: str, *, folder: bool) -> PurePosixPath:
        """Return where a member goes, below the folder.

        Args:
            name: As the archive has it.
            folder: Whether it is a folder, which may come more than once.

        Raises:
            RefusedMemberError: It would leave the folder, or meet another member's place, or
                cannot be written on every file system.
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
            raise RefusedMemberError(f"would overwrite {other} where case is ignored")
        if not (folder and is_folder):
            raise RefusedMemberError("takes the place of another member")


def is_litter(path: PurePosixPath) -> bool:
    """Whether a member is what macOS adds to archives and folders."""
    return any(fnmatchcase(part, pattern) for part in path.parts for pattern in _LITTER)


def _relative(name: str) -> PurePosixPath:
    if _CONTROL.search(name):
        raise RefusedMemberError("has control characters in its name")
    if "\\" in name or ":" in name:
        raise RefusedMemberError("has a name that Windows takes for another place")
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
