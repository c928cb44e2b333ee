"""Cache entries: their files, size and last use.

This module does not import torch, so that `python -m xray.cache` starts fast.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from filelock import FileLock, Timeout

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
        """List of the finished blocks of the part."""
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
        """Bytes that are allocated on disk; a part is a sparse file."""
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
        # Delete the record first: an array without a record never counts as finished.
        for path in (self.record, self.array, self.journal, self.part):
            path.unlink(missing_ok=True)


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


def _newest(*paths: Path) -> float:
    return max((status.st_mtime for status in _statuses(*paths)), default=0.0)


def _statuses(*paths: Path) -> Iterator[os.stat_result]:
    """Yield the status of the files that exist; another process may rename a part meanwhile."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield path.stat()


def _dead(mark: Path) -> bool:
    """Check whether a mark is held by no process, and delete it in that case."""
    lock = FileLock(mark)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    mark.unlink(missing_ok=True)
    lock.release()
    return True
