"""Read the members of zip and tar archives through one interface.

The filters of `tarfile` are not sufficient here: `tarfile.data_filter` accepts links inside the
folder, removes the leading slash of an absolute path instead of refusing it, and does not apply to
zip archives; `tarfile` also ends silently at a damaged header.
"""

import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, BinaryIO, Self

_CHUNK = 1 << 20
# Names and attributes are shorter, and tarfile reads them into memory.
_MAX_HEADER_BYTES = 1 << 20
_HEADERS = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)
_ENCRYPTED = 0x1
# Methods that zipfile unpacks in pieces of bounded size.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ZIP = b"PK"
_OTHER = {b"7z\xbc\xaf": "a 7z archive", b"Rar!": "a RAR archive", b"\x28\xb5\x2f\xfd": "Zstandard"}

# Errors of the standard library for damaged data; bz2 and gzip raise OSError.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    IndexError,
    RuntimeError,
)


class DamageError(Exception):
    """The archive, or the rest of it, cannot be read."""


class RefusedMemberError(Exception):
    """A member is refused; the message is the reason, as a clause."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file or folder in an archive.

    Attributes:
        name: Name in the archive.
        is_folder: Whether the member is a folder.
        refusal: Reason to refuse the member, as a clause; None if there is none.
        open: Function that opens the content.
    """

    name: str
    is_folder: bool
    refusal: str | None
    open: Callable[[], IO[bytes]]

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in chunks of 1 MiB.

        Raises:
            DamageError: The content is damaged.
        """
        with _damage(), self.open() as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk


def read_members(file: BinaryIO) -> Iterator[Member]:
    """Yield the members of a zip, tar, tar.gz, tar.bz2 or tar.xz archive.

    The format is determined by the content, not the suffix. Members of a tar archive must be read
    in order. The archive is read to its end, where damage may show.

    Args:
        file: The archive, at its start.

    Raises:
        DamageError: The archive is damaged, incomplete, or of another kind.
    """
    with _damage():
        head = file.read(4)
        file.seek(0)
        if head in _OTHER:
            raise tarfile.ReadError(f"{_OTHER[head]} is not supported")
        yield from _zip(file) if head.startswith(_ZIP) else _tar(file)


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DamageError(str(error) or type(error).__name__) from error


def _zip(file: BinaryIO) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            # `filename` ends at a null byte of `orig_filename`.
            name = info.orig_filename
            yield Member(name, name.endswith("/"), _zip_refusal(info), partial(archive.open, info))


def _zip_refusal(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device or a pipe"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return "has an unsupported compression method"
    return None


def _tar(file: BinaryIO) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r:*", tarinfo=_TarInfo) as archive:
        for info in archive:
            yield Member(
                info.name, info.isdir(), _tar_refusal(info), partial(_content, archive, info)
            )
        # The checksum of a compressed archive is verified when its end is read.
        assert archive.fileobj is not None
        if len(archive.fileobj.read(_CHUNK)) == _CHUNK:
            raise tarfile.ReadError("it continues after its end")


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(info)
    assert stream is not None
    return stream


def _tar_refusal(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return "is a link"
    if not (info.isreg() or info.isdir()):
        return "is a device or a pipe"
    return None


class _TarInfo(tarfile.TarInfo):
    """Member header whose damage is an error; tarfile treats a damaged header as the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if len(buf) == tarfile.BLOCKSIZE and not any(buf):
            return super().frombuf(buf, encoding, errors)
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"damaged or missing header: {error}") from error
        if info.size < 0 or (info.type in _HEADERS and info.size > _MAX_HEADER_BYTES):
            raise tarfile.ReadError("a header of an impossible size")
        return info
