"""Fingerprints of many files, stored on disk so that only changed files are read again."""

import hashlib
import logging
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xray.errors import ImageError
from xray.files import replacing
from xray.integrity.fingerprint import THUMBNAIL, fingerprint
from xray.machine import in_threads

log = logging.getLogger(__name__)

# Raise whenever the same file would be read differently.
_VERSION = 2
# Fewer files are read within about two seconds and need no progress bar.
_SILENT = 500
ROW = np.dtype(
    [
        ("sha256", "U64"),
        ("format", "U8"),
        ("width", np.int32),
        ("height", np.int32),
        ("bits", np.int32),
        ("jpeg_quality", np.int32),
        ("note", "U96"),
        ("thumbnail", np.uint8, (THUMBNAIL, THUMBNAIL)),
    ]
)


@dataclass(frozen=True, eq=False)
class Index:
    """Fingerprints of N files.

    Attributes:
        paths: The files.
        rows: (N,) structured array with the fields of `xray.integrity.fingerprint.Fingerprint`, in
            the order of the files.
        problems: Position of a file that cannot be used -> its error.
        digest: SHA-256 of the paths, sizes and modification times of the files, hexadecimal.
    """

    paths: Sequence[Path]
    rows: NDArray[np.void]
    problems: dict[int, ImageError]
    digest: str

    def usable(self) -> NDArray[np.int64]:
        """Return the positions of the files that can be used, (M,) int64, ascending."""
        return np.setdiff1d(np.arange(len(self.paths)), list(self.problems))


def index_files(paths: Sequence[Path], store: Path | None = None) -> Index:
    """Compute the fingerprints of files, on all cores.

    Args:
        paths: Files, without repetition.
        store: File (.npz) that stores fingerprints between calls. Files of the same path, size and
            modification time are not read again, except those that could not be read before.
    """
    keys = [_key(path) for path in paths]
    known = _load(store, paths, keys) if store else {}
    new = [i for i in range(len(paths)) if i not in known]
    rows = np.zeros(len(paths), ROW)
    for i, row in known.items():
        rows[i] = row
    results = in_threads(_row, [paths[i] for i in new], "Reading images", quiet=_SILENT)
    problems: dict[int, ImageError] = {}
    for i, result in zip(new, results, strict=True):
        if isinstance(result, ImageError):
            problems[i] = result
        else:
            rows[i] = result
    if store and len(new) > len(problems):
        _save(store, paths, keys, rows, set(range(len(paths))) - set(problems))
    listed = "\n".join(f"{p}:{k}" for p, k in zip(paths, keys, strict=True))
    return Index(paths, rows, problems, _sha256(listed))


def stored_rows(store: Path) -> NDArray[np.void] | None:
    """Read all fingerprints of a file of `index_files`.

    Args:
        store: The file (.npz).

    Returns:
        (N,) with the fields of `ROW`; None if the file is missing, damaged, or of another version.
    """
    try:
        with store.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            rows: NDArray[np.void] = saved["rows"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return rows if rows.dtype == ROW else None


def store_name(root: Path) -> str:
    """Return the start of the names of the files that store the results for a dataset."""
    return _sha256(str(root.resolve()))[:16]


def _sha256(text: str) -> str:
    # A file name may contain bytes that are not valid text.
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _key(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size}:{status.st_mtime_ns}"


def _row(path: Path) -> tuple[object, ...] | ImageError:
    try:
        found = fingerprint(path)
    except ImageError as error:
        return error
    return tuple(getattr(found, name) for name in ROW.names or ())


def _load(store: Path, paths: Sequence[Path], keys: Sequence[str]) -> dict[int, NDArray[np.void]]:
    try:
        # NumPy does not close a file that it cannot read.
        with store.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            names, rows = saved["names"], saved["rows"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s is damaged (%s); the images are read again", store, error)
        return {}
    if rows.dtype != ROW:
        return {}
    place = {name: i for i, name in enumerate(names.tolist())}
    wanted = ((i, place.get(_name(p, k))) for i, (p, k) in enumerate(zip(paths, keys, strict=True)))
    return {i: rows[row] for i, row in wanted if row is not None}


def _save(
    store: Path,
    paths: Sequence[Path],
    keys: Sequence[str],
    rows: NDArray[np.void],
    readable: set[int],
) -> None:
    chosen = sorted(readable)
    names = np.array([_name(paths[i], keys[i]) for i in chosen])
    try:
        with replacing(store) as part, part.open("wb") as file:
            np.savez(file, names=names, rows=rows[chosen])
    except OSError as error:
        log.warning("%s cannot be written (%s); the next run reads all images again", store, error)


def _name(path: Path, key: str) -> str:
    return f"{_VERSION}:{path}:{key}"
