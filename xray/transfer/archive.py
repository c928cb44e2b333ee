"""Unpack an untrusted archive: completely and inside its folder, or not at all."""

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
from xray.transfer.names import Names, is_extraneous

# The compression ratio of a few small files is not a sign of an archive bomb.
_RATIO_FROM_BYTES = 10_000_000
_BY_HAND = "Unpack it by hand, check its content, and pass path=<that folder> to xray.prepare."


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of an extraction, counted while it is written instead of read from the archive.

    Args:
        size: Maximum number of bytes.
        members: Maximum number of files and folders, including parent folders of files.
        ratio: Maximum number of bytes per byte of the archive. Radiographs are already compressed,
            and text tables rarely shrink to less than a twentieth.
    """

    size: int = 200_000_000_000
    members: int = 1_000_000
    ratio: float = 100.0


LIMITS = Limits()


def extract(archive: Path, folder: Path, *, limits: Limits = LIMITS) -> Path:
    """Unpack a zip, tar, tar.gz, tar.bz2 or tar.xz archive into a new folder.

    The files are written to a temporary folder that is renamed at the end. An archive is refused if
    it contains links, devices, encrypted members, names that lead out of the folder or are equal
    on some file systems, or more than the limits. Metadata of macOS is left out, archives in the
    archive are not unpacked, and permissions, owners and times are not restored.

    Args:
        archive: The archive, or a folder that is already unpacked.
        folder: The folder to create; it must not exist, or be empty.
        limits: Limits of the extraction.

    Returns:
        `folder`, or `archive` if that is a folder.

    Raises:
        ArchiveError: The archive is missing, damaged, of another kind, empty or refused, or
            `folder` cannot be written. `folder` does not exist afterwards.
    """
    if archive.is_dir():
        return archive
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ArchiveError(f"{folder} already exists. Delete it to unpack {archive.name} again.")
    part = folder.parent / f".{folder.name}.{uuid4().hex[:8]}.part"
    try:
        with _opened(archive) as file:
            part.mkdir(parents=True)
            _Extraction(archive, part, limits).run(file)
        part.replace(folder)
    except OSError as error:
        advice = "Free some space, or choose a writable folder."
        raise ArchiveError(f"{folder} cannot be written ({error}). {advice}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _opened(archive: Path) -> BinaryIO:
    try:
        return archive.open("rb")
    except OSError as error:
        raise ArchiveError(
            f"{archive} cannot be opened ({error.strerror}). Check the path and its permissions."
        ) from error


class _Extraction:
    """State of one extraction: names in use, and amounts that count toward the limits."""

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
                f"{self._archive} is damaged, incomplete or not a zip or tar archive, at {name!r}: "
                f"{error}. Download it again. If you trust it: {_BY_HAND}"
            ) from error
        except RefusedMemberError as error:
            raise ArchiveError(
                f"{self._archive} is refused: {name!r} {error}. {_BY_HAND}"
            ) from error
        if not self._files:
            raise ArchiveError(f"{self._archive} contains no file. Download it again.")

    def _unpack(self, member: Member, show: Callable[[], None]) -> None:
        if member.refusal:
            raise RefusedMemberError(member.refusal)
        place = self._names.claim(member.name, folder=member.is_folder)
        self._members += 1
        if max(self._members, len(self._names)) > self._limits.members:
            raise RefusedMemberError(
                f"exceeds the limit of {self._limits.members:,} files and folders"
            )
        if member.is_folder:
            if not is_extraneous(place):
                (self._part / place).mkdir(parents=True, exist_ok=True)
        elif is_extraneous(place):
            # It is read as well, because it counts toward the limits.
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
            raise RefusedMemberError(f"exceeds the limit of {decimal(self._limits.size)}")
        if self._size > max(_RATIO_FROM_BYTES, self._limits.ratio * self._packed):
            raise RefusedMemberError(
                f"unpacks to more than {self._limits.ratio:g} times the size of the archive, like "
                "an archive bomb"
            )
