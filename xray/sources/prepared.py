"""Content of a prepared dataset, and the request that it was prepared from."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xray.data.manifest import read_manifest
from xray.data.manifest_row import Row
from xray.errors import DataError
from xray.sources.base import About
from xray.sources.splitting import current_splitting
from xray.types import Split

RECORD = "prepare.json"
REJECTED = "rejected.csv"


@dataclass(frozen=True, slots=True)
class Report:
    """Content of a prepared dataset.

    Attributes:
        classes: Class names, in order.
        rows: Images.
        rejected: Number of images that could not be used.
        left_out: Source -> label -> number of images whose label no class includes.
        abouts: Source -> description and terms.
    """

    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    rejected: int
    left_out: Mapping[str, Mapping[str, int]]
    abouts: Mapping[str, About]

    def split_patients(self) -> int:
        """Count the patients in more than one split."""
        return sum(len(splits) > 1 for splits in self._splits("patient").values())

    def copies(self) -> tuple[int, int]:
        """Count the files that duplicate another, and the contents in more than one split."""
        splits = self._splits("sha256")
        crossing = sum(len(found) > 1 for found in splits.values())
        return sum(row.sha256 is not None for row in self.rows) - len(splits), crossing

    def _splits(self, key: str) -> dict[str, set[Split | None]]:
        found: dict[str, set[Split | None]] = defaultdict(set)
        for row in self.rows:
            if (value := getattr(row, key)) is not None:
                found[value].add(row.split)
        return found


def write_record(root: Path, report: Report, request: Mapping[str, Any]) -> None:
    """Write root/prepare.json.

    Raises:
        OSError: The file cannot be written.
    """
    record = {
        "request": _recorded(request),
        "classes": report.classes,
        "rejected": report.rejected,
        "left_out": report.left_out,
        "sources": {name: asdict(about) for name, about in report.abouts.items()},
    }
    (root / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")


def find_prepared(root: Path, request: Mapping[str, Any]) -> Report | None:
    """Read a dataset that was prepared from the same request.

    Returns:
        Its content; None if `root` does not exist or is empty.

    Raises:
        DataError: `root` contains something else.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    try:
        report, then = _read(root)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{root} exists, but xray.prepare did not create it (it contains no readable "
            f"{RECORD}). Pass another out=<folder>."
        ) from error
    now = _recorded(request)
    if then != now:
        keys = ", ".join(sorted(key for key in {*then, *now} if then.get(key) != now.get(key)))
        raise DataError(
            f"{root} was prepared from another request (different: {keys}). Delete the folder to "
            "prepare it again, or pass another out=<folder>."
        )
    return report


def _read(root: Path) -> tuple[Report, dict[str, Any]]:
    """Read a prepared dataset and its request."""
    record = json.loads((root / RECORD).read_text(encoding="utf-8"))
    request: dict[str, Any] = {**record["request"]}
    request["split"] = current_splitting(str(request["split"]))
    abouts = {name: _about(about) for name, about in record["sources"].items()}
    manifest = read_manifest(root)
    if manifest is None:
        raise DataError(
            f"{root} has lost its manifest.csv. Delete the folder, and prepare it again."
        )
    rows = tuple(manifest.rows.values())
    classes = tuple(record["classes"])
    return Report(classes, rows, record["rejected"], record["left_out"], abouts), request


def _about(values: Mapping[str, Any]) -> About:
    # Version 0.1.0 wrote "licence".
    return About(**{"license" if key == "licence" else key: value for key, value in values.items()})


def _recorded(request: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten to dotted keys, and replace paths, which may contain a name, by their digests."""
    flat: dict[str, Any] = {}
    for key, value in request.items():
        if isinstance(value, Mapping) and value:
            flat |= {f"{key}.{inner}": v for inner, v in _recorded(value).items()}
        elif key == "path" and value is not None:
            place = str(Path(value).expanduser().resolve())
            flat[key] = hashlib.sha256(place.encode()).hexdigest()[:16]
        else:
            flat[key] = value
    return flat
