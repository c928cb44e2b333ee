"""Records of cache entries: their descriptions and checksums, and the check of finished entries."""

import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xray.caching.entry import Entry

Description = dict[str, Any]
"""Everything that the content of an entry depends on, as plain JSON values."""

Stored = NDArray[np.generic]

CHECKED_BYTES = 2 * 2**30
"""Larger entries are checked in blocks spread evenly over them, this many bytes in total (2 s)."""


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
