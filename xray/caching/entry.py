"""Entries of the cache folder: their files, their records and the check of finished entries.

Nothing here needs torch, so that `python -m xray.cache` starts fast.
"""

import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

Description = dict[str, Any]
"""Everything that the content of an entry depends on, as plain JSON values."""

Stored = NDArray[np.generic]

CHECKED_BYTES = 2 * 2**30
"""Larger entries are checked in blocks spread evenly over them, this many bytes in total (2 s)."""

_NAME = re.compile(r"(pixels_)?(train|val|test)_[0-9a-f]{16}")
_PACKAGES = (
    *("xray", "torch", "torchvision", "albumentations", "opencv-python-headless", "pillow"),
    "simplejpeg",
    # Packages of the extra "dicom".
    *("pydicom", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pyjpegls", "python-gdcm"),
)


@dataclass(frozen=True)
class Entry:
    """The activations or decoded images of one split, finished or being computed.

    Args:
        folder: Folder of the cache.
        name: "<split>_<key>" for activations, "pixels_<split>_<key>" for decoded images.
    """

    folder: Path
    name: str

    @property
    def kind(self) -> str:
        """Kind of content: "pixels" or "activations"."""
        return "pixels" if self.name.startswith("pixels_") else "activations"

    @property
    def split(self) -> str:
        """Name of the split."""
        return self.name.split("_")[-2]

    @property
    def array(self) -> Path:
        """The .npy file of a finished entry."""
        return self.folder / f"{self.name}.npy"

    @property
    def record(self) -> Path:
        """File with description and checksums; its modification time is the time of last use."""
        return self.folder / f"{self.name}.json"

    @property
    def part(self) -> Path:
        """The array while it is computed; the file has its final size from the start."""
        return self.folder / f"{self.name}.part"

    @property
    def journal(self) -> Path:
        """List of the blocks of the part that are finished."""
        return self.folder / f"{self.name}.journal"

    @property
    def fill_lock(self) -> Path:
        """Lock of the process that computes the entry."""
        return self.folder / f".{self.name}.lock"

    @property
    def complete(self) -> bool:
        """Whether the entry is finished."""
        return self.array.is_file() and self.record.is_file()

    @property
    def size(self) -> int:
        """Size of the files in bytes; a part has its final size."""
        return sum(status.st_size for status in _statuses(self.array, self.part))

    @property
    def allocated(self) -> int:
        """Bytes that are allocated on disk; a part has holes."""
        return sum(
            status.st_blocks * 512 if path == self.part else status.st_size
            for path in (self.array, self.part)
            for status in _statuses(path)
        )

    @property
    def made(self) -> float:
        """Time when the content was last written, in seconds since the epoch."""
        return _newest(self.array, self.part)

    @property
    def used(self) -> float:
        """Time when the entry was last used or written, in seconds since the epoch."""
        return _newest(self.array, self.part, self.record, self.journal)

    def in_use(self) -> bool:
        """Check whether a live process uses the entry, and remove the marks of dead processes.

        The caller must hold the folder's lock.
        """
        marks = list(self.folder.glob(f".{self.name}.*.use"))
        return bool([mark for mark in marks if not _dead(mark)])

    def remove(self) -> None:
        """Delete the files of the entry, except its lock."""
        # The record first: an array without a record never counts as finished.
        for path in (self.record, self.array, self.journal, self.part):
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Record:
    """Description and checksums of a finished entry.

    Attributes:
        description: Everything that the content depends on.
        shape: (views, N, ...).
        dtype: NumPy's name of the stored type.
        block: Rows in a block; a row is one image of one view, and the last block may be shorter.
        crc: CRC-32 of each block.
    """

    description: Description
    shape: tuple[int, ...]
    dtype: str
    block: int
    crc: tuple[int, ...]

    def write(self, path: Path) -> None:
        """Write the record as JSON, atomically."""
        new = path.with_name(f".{path.name}.new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def list_entries(folder: Path) -> list[Entry]:
    """List the entries of a folder by name; other files are ignored."""
    if not folder.is_dir():
        return []
    suffixes = {".npy", ".json", ".part", ".journal"}
    names = {path.stem for path in folder.iterdir() if path.suffix in suffixes}
    return [Entry(folder, name) for name in sorted(names) if _NAME.fullmatch(name)]


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages that compute pixels and activations."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def describe(entry: Entry) -> Description:
    """Read the description of an entry, finished or not; empty if it cannot be read."""
    for path in (entry.record, entry.journal):
        try:
            with path.open(encoding="utf-8") as file:
                whole = json.load(file) if path == entry.record else json.loads(file.readline())
            return dict(whole["description"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return {}


def open_checked(entry: Entry, expected: Description | None = None) -> tuple[Stored | None, str]:
    """Open a finished entry as a memory map, after checking it.

    Args:
        entry: The entry.
        expected: The description it must have; None: any.

    Returns:
        The memory map, (views, N, ...), or None; and the fault, a clause ("is truncated: ..."),
        empty if there is no fault or no such entry.
    """
    if not entry.complete:
        return None, ""
    try:
        values = json.loads(entry.record.read_text(encoding="utf-8"))
        values.update(shape=tuple(values["shape"]), crc=tuple(values["crc"]))
        record = Record(**values)
        array: Stored = np.load(entry.array, mmap_mode="r")
        if expected is not None and record.description != expected:
            return None, f"contains different {entry.kind} than its name states"
        fault = _fault(array, record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return None, f"cannot be read ({' '.join(str(error).split())})"
    return (None, fault) if fault else (array, "")


def checksum(rows: Stored) -> int:
    """Compute the CRC-32 of a block."""
    return zlib.crc32(np.ascontiguousarray(rows).data.cast("B"))


def _fault(array: Stored, record: Record) -> str:
    """Compare an array with its record; return the first difference as a clause, or ""."""
    if (array.shape, str(array.dtype)) != (record.shape, record.dtype):
        return (
            f"is {array.shape} {array.dtype}, but its record states {record.shape} {record.dtype}"
        )
    blocks = range(0, array.shape[0] * array.shape[1], record.block)
    if len(record.crc) != len(blocks):
        return f"has {len(record.crc)} checksums for {len(blocks)} blocks"
    rows = array.reshape(-1, *array.shape[2:])
    for i in _sample(len(blocks), max(2, CHECKED_BYTES * len(blocks) // max(1, array.nbytes))):
        if checksum(rows[blocks[i] : blocks[i] + record.block]) != record.crc[i]:
            return f"is damaged: block {i} does not match its checksum"
    return ""


def _sample(count: int, most: int) -> Iterable[int]:
    if count <= most:
        return range(count)
    return chain(range(0, count - 1, -(-count // most)), [count - 1])


def _newest(*paths: Path) -> float:
    return max((status.st_mtime for status in _statuses(*paths)), default=0.0)


def _statuses(*paths: Path) -> Iterator[os.stat_result]:
    """Yield the status of the files that exist; another process may rename a part meanwhile."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield path.stat()


def _dead(mark: Path) -> bool:
    """Check whether no process holds a mark; if so, delete it."""
    lock = FileLock(mark)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    mark.unlink(missing_ok=True)
    lock.release()
    return True
