"""What a finished entry says of itself, and the check that it is still so."""

import json
import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xray.caching.entry import Entry

Description = dict[str, Any]
"""All that an entry depends on, as JSON has it."""

Stored = NDArray[np.generic]

CHECKED_BYTES = 2 * 2**30
"""A larger entry is checked in blocks spread evenly over it, this much in all: about 2 s."""

_PACKAGES = (
    *("xray", "torch", "torchvision", "albumentations", "opencv-python-headless", "pillow"),
    "simplejpeg",
    # Of the extra "dicom".
    *("pydicom", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pyjpegls", "python-gdcm"),
)


@dataclass(frozen=True)
class Record:
    """A finished entry.

    Attributes:
        description: What it is.
        shape: (views, N, ...).
        dtype: NumPy's name of what is stored.
        block: Rows a block; a row is one image of one view, and the last block may be shorter.
        crc: CRC-32 of each block.
    """

    description: Description
    shape: tuple[int, ...]
    dtype: str
    block: int
    crc: tuple[int, ...]

    def write(self, path: Path) -> None:
        """Write it as JSON, at once."""
        new = path.with_name(f".{path.name}.new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def package_versions() -> dict[str, str]:
    """Give the versions of what turns files into pixels and activations, where it is installed."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def describe(entry: Entry) -> Description:
    """Read what an entry is, finished or not; empty where that cannot be read."""
    for path in (entry.record, entry.journal):
        try:
            with path.open(encoding="utf-8") as file:
                whole = json.load(file) if path == entry.record else json.loads(file.readline())
            return dict(whole["description"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return {}


def open_checked(entry: Entry, expected: Description | None = None) -> tuple[Stored | None, str]:
    """Map a finished entry into memory.

    Args:
        entry: Which.
        expected: What it must be; None takes it as it is.

    Returns:
        The memory map, (views, N, ...), or None; and what is wrong, a clause ("is truncated: ..."),
        empty where nothing is, or where there is no such entry.
    """
    if not entry.complete:
        return None, ""
    try:
        values = json.loads(entry.record.read_text(encoding="utf-8"))
        values.update(shape=tuple(values["shape"]), crc=tuple(values["crc"]))
        record = Record(**values)
        array: Stored = np.load(entry.array, mmap_mode="r")
        if expected is not None and record.description != expected:
            return None, f"describes other {entry.kind}"
        wrong = _wrong(array, record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return None, f"cannot be read ({' '.join(str(error).split())})"
    return (None, wrong) if wrong else (array, "")


def _wrong(array: Stored, record: Record) -> str:
    if (array.shape, str(array.dtype)) != (record.shape, record.dtype):
        return (
            f"holds {array.shape} {array.dtype}, where its record says "
            f"{record.shape} {record.dtype}"
        )
    blocks = range(0, array.shape[0] * array.shape[1], record.block)
    if len(record.crc) != len(blocks):
        return f"has {len(record.crc)} checksums for {len(blocks)} blocks"
    rows = array.reshape(-1, *array.shape[2:])
    for i in _sample(len(blocks), max(2, CHECKED_BYTES * len(blocks) // max(1, array.nbytes))):
        if checksum(rows[blocks[i] : blocks[i] + record.block]) != record.crc[i]:
            return f"is damaged: the checksum of block {i} is another"
    return ""


def checksum(rows: Stored) -> int:
    """Compute the CRC-32 of a block."""
    return zlib.crc32(np.ascontiguousarray(rows).data.cast("B"))


def _sample(count: int, most: int) -> Iterable[int]:
    if count <= most:
        return range(count)
    return chain(range(0, count - 1, -(-count // most)), [count - 1])
