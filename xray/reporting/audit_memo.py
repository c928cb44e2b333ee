"""Memoize the audit of a dataset: an unchanged dataset is not read again.

The module imports nothing heavy, so that an unchanged dataset is reported at once.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

log = logging.getLogger(__name__)

_FORMAT = 1
_PACKAGES = ("xray", "numpy", "opencv-python-headless", "pillow", "simplejpeg", "scikit-learn")
_KEY = "key.json"
Record = dict[str, Any]


class AuditMemo:
    """The stored audit of a dataset.

    A stored audit is valid while the key is unchanged: the paths, sizes and modification times of
    all files below the root (including the targets of links), the settings, and the versions of
    the packages that read the files.

    Args:
        root: The root folder of the dataset.
        settings: All settings that affect the audit, as plain values.
        folder: The folder that stores the audits, one per dataset.
    """

    def __init__(self, root: Path, settings: Mapping[str, Any], folder: Path) -> None:
        place = str(root.resolve()).encode(errors="surrogateescape")
        name = hashlib.sha256(place).hexdigest()[:16]
        self.place = folder / f"{name}_report"
        versions = {package: version(package) for package in _PACKAGES}
        self.key = {
            "format": _FORMAT,
            "files": _listing(root),
            "settings": dict(settings),
            "versions": versions,
        }

    def recall(self, run: Path) -> Record | None:
        """Copy the stored audit into a run directory.

        Args:
            run: The directory that receives audit.json, findings.csv and montages/.

        Returns:
            The content of audit.json, or None if no valid audit is stored.
        """
        try:
            if json.loads((self.place / _KEY).read_text(encoding="utf-8")) != self.key:
                return None
            record: Record = json.loads((self.place / "audit.json").read_text(encoding="utf-8"))
            shutil.copytree(self.place, run, dirs_exist_ok=True, ignore=lambda *_: {_KEY})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, shutil.Error) as error:
            log.warning("%s is damaged (%s): the dataset is audited again", self.place, error)
            return None
        return record

    def store(self, run: Path) -> None:
        """Store the audit of a run directory, and replace the previous one.

        An audit with unreadable files is not stored: a changed permission or a newly installed
        decoder can make them readable without a change of size or time.
        """
        record: Record = json.loads((run / "audit.json").read_text(encoding="utf-8"))
        if "bad_file" in record.get("findings", ()):
            shutil.rmtree(self.place, ignore_errors=True)
            return
        new = self.place.with_name(f".{self.place.name}.{uuid4().hex[:8]}.new")
        try:
            new.mkdir(parents=True)
            for name in ("audit.json", "findings.csv"):
                shutil.copy2(run / name, new)
            shutil.copytree(run / "montages", new / "montages")
            (new / _KEY).write_text(json.dumps(self.key), encoding="utf-8")
            shutil.rmtree(self.place, ignore_errors=True)
            new.replace(self.place)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            log.warning("%s cannot be written (%s): the audit is not stored", new.parent, error)


def _listing(root: Path) -> str:
    digest = hashlib.sha256()
    for line in sorted(_entries(str(root), "", frozenset())):
        digest.update(os.fsencode(line) + b"\n")
    return digest.hexdigest()


def _entries(folder: str, below: str, above: frozenset[str]) -> Iterator[str]:
    """Yield a line for each entry below a folder; links are followed unless they form a loop."""
    here = os.path.realpath(folder)
    if here in above:
        return
    try:
        with os.scandir(folder) as opened:
            entries = list(opened)
    except OSError:
        yield f"{below}:closed"
        return
    for entry in entries:
        name = f"{below}/{entry.name}"
        if entry.is_dir():
            yield f"{name}/"
            yield from _entries(entry.path, name, above | {here})
            continue
        try:
            status = entry.stat()
        except OSError:
            yield f"{name}:broken"
            continue
        yield f"{name}:{status.st_size}:{status.st_mtime_ns}"
