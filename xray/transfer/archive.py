"""Unpack an archive that nobody vouches for: whole and inside its folder, or not at all."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from rich.filesize import decimal

from xray.errors import ArchiveError
from xray.transfer.bar import byte_bar
from xray.transfer.members import DamageError, Member, RefusedMemberError, read_members
from xray.transfer.names import Names, is_litter

# A ratio says nothing of a few small files.
_RATIO_FROM_BYTES = 10_000_000
_BY_HAND = "Unpack it by hand, look at what is in it, and pass path=<that folder> to prepare."


@dataclass(frozen=True, slots=True)
class Limits:
    """What is unpacked at most; counted as it is written, whatever the archive says of itself.

    Args:
        size: Bytes.
        members: Files and folders, also those folders that only a file's name tells of.
        ratio: Bytes for each byte of the archive. Radiographs are compressed already, and tables
            of text seldom shrink to less than a twentieth.
    """

    size: int = 200_000_000_000
    members: int = 1_000_000
    ratio: float = 100.0


LIMITS = Limits()


def extract(archive: Path, folder: Path, *, limits: Limits = LIMITS) -> Path:
    """Unpack a zip, tar, tar.gz, tar.bz2 or tar.xz into a new folder.

    All is written to a sibling folder that is renamed when complete. Links, devices, names that
    lead elsewhere or meet on some file system, encrypted members and bombs are refused, and the
    archive with them; what macOS adds is left out; an archive in the archive stays a file.
    Permissions, owners and times are not taken over.

    Args:
        archive: The file. A folder is taken for one that is unpacked already.
        folder: Where to; it must not be there, or be empty.
        limits: What is unpacked at most.

    Returns:
        `folder`, or `archive` where that is a folder.

    Raises:
        ArchiveError: The archive is missing, damaged, of another kind, holds no file, or what is
            refused; or `folder` cannot be written. There is no `folder` then.
    """
    if archive.is_dir():
        return archive
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ArchiveError(
            f"{folder} is there already. Delete it to have {archive.name} unpacked anew."
        )
    part = folder.parent / f".{folder.name}.{uuid4().hex[:8]}.part"
    try:
        with _opened(archive) as file:
            part.mkdir(parents=True)
            _Extraction(archive, part, limits).run(file)
        part.replace(folder)
    except OSError as error:
        advice = "Make room there, or name a folder that you may write."
        raise ArchiveError(f"{folder} cannot be written ({error}). {advice}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _opened(archive: Path) -> BinaryIO:
    try:
        return archive.open("rb")
    except OSError as error:
        raise ArchiveError(
            f"{archive} cannot be opened ({error.strerror}). Check the path, and that you may "
            "read it."
        ) from error


class _Extraction:
    """The state of one: what is taken, and how much of the limits is spent."""

    def __init__(self, archive: Path, part: Path, limits: Limits) -> None:
        self._archive = archive
        self._part = part
        self._limits = limits
        self._packed = archive.stat().st_size
        self._names = Names()
        self._size = 0
        self._members = 0
        self._files = 0

    def run(self, file: BinaryIO) -> None:
        name = "its first member"
        try:
            with byte_bar(self._archive.name, self._packed) as show:
                for member in read_members(file):
                    name = member.name
                    self._unpack(member, lambda: show(file.tell()))
        except DamageError as error:
            raise ArchiveError(
                f"{self._archive} is damaged, incomplete or no zip or tar archive, at {name!r}: "
                f"{error}. Download it again. If you trust it: {_BY_HAND}"
            ) from error
        except RefusedMemberError as error:
            raise ArchiveError(
                f"{self._archive} is not unpacked: {name!r} {error}. {_BY_HAND}"
            ) from error
        if not self._files:
            raise ArchiveError(f"{self._archive} holds no file. Download it again.")

    def _unpack(self, member: Member, show: Callable[[], None]) -> None:
        if member.refusal:
            raise RefusedMemberError(member.refusal)
        place = self._names.claim(member.name, folder=member.is_folder)
        self._members += 1
        if max(self._members, len(self._names)) > self._limits.members:
            raise RefusedMemberError(
                f"makes it more than {self._limits.members:,} files or folders"
            )
        if member.is_folder:
            if not is_litter(place):
                (self._part / place).mkdir(parents=True, exist_ok=True)
        elif is_litter(place):
            # Read all the same: what is passed over counts as well.
            self._write(member, Path(os.devnull), show)
        else:
            (self._part / place).parent.mkdir(parents=True, exist_ok=True)
            self._write(member, self._part / place, show)
            self._files += 1

    def _write(self, member: Member, path: Path, show: Callable[[], None]) -> None:
        with path.open("wb") as file:
            for chunk in member.chunks():
                self._spend(len(chunk))
                file.write(chunk)
                show()

    def _spend(self, count: int) -> None:
        self._size += count
        if self._size > self._limits.size:
            raise RefusedMemberError(f"brings it to more than {decimal(self._limits.size)}")
        if self._size > max(_RATIO_FROM_BYTES, self._limits.ratio * self._packed):
            raise RefusedMemberError(
                f"unpacks to more than {self._limits.ratio:g} times the archive's size, as a bomb "
                "would"
            )
