"""An audit of before, given again where nothing changed; nothing heavy is imported for it."""

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
Told = dict[str, Any]


class KeptAudit:
    """Where the audit of a dataset is kept, and what it depends on.

    It is known by the paths, sizes and times of change of all files below the root, of links'
    targets too, by the settings, and by the versions of what read the files.

    Args:
        root: The dataset.
        settings: All else that the audit depends on, as plain values.
        folder: Keeps audits, one a dataset.
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

    def recall(self, run: Path) -> Told | None:
        """Copy the kept audit into a run directory.

        Args:
            run: Where audit.json, findings.csv and montages/ go.

        Returns:
            What audit.json says; None where nothing is kept, or something changed since.
        """
        try:
            if json.loads((self.place / _KEY).read_text(encoding="utf-8")) != self.key:
                return None
            told: Told = json.loads((self.place / "audit.json").read_text(encoding="utf-8"))
            shutil.copytree(self.place, run, dirs_exist_ok=True, ignore=lambda *_: {_KEY})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, shutil.Error) as error:
            log.warning("%s is damaged (%s): the dataset is audited anew", self.place, error)
            return None
        return told

    def keep(self, run: Path) -> None:
        """Keep what an audit wrote into a run directory, in place of what was kept before.

        One that found bad files is not kept: a permission or a decoder mends them, and neither
        shows in a file's size and time.
        """
        told: Told = json.loads((run / "audit.json").read_text(encoding="utf-8"))
        if "bad_file" in told.get("findings", ()):
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
            log.warning("%s cannot be written (%s): the next audit begins anew", new.parent, error)


def _listing(root: Path) -> str:
    digest = hashlib.sha256()
    for line in sorted(_entries(str(root), "", frozenset())):
        digest.update(os.fsencode(line) + b"\n")
    return digest.hexdigest()


def _entries(folder: str, below: str, above: frozenset[str]) -> Iterator[str]:
    """Describe all that lies in a folder, links followed unless they lead back up."""
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
