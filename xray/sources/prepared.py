"""What a prepared tree holds, and what it was asked to hold."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xray.data.manifest import Row, read_manifest
from xray.errors import DataError
from xray.sources.base import About
from xray.types import Split

RECORD = "prepare.json"
REJECTED = "rejected.csv"


@dataclass(frozen=True, slots=True)
class Report:
    """What a prepared tree holds.

    Attributes:
        classes: In order.
        rows: Its images.
        rejected: How many images could not be used.
        left_out: Source -> label -> how many images of it no class takes.
        abouts: Source -> facts and terms.
    """

    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    rejected: int
    left_out: Mapping[str, Mapping[str, int]]
    abouts: Mapping[str, About]

    def split_patients(self) -> int:
        """Count the patients who are in more than one split."""
        return sum(len(splits) > 1 for splits in self._splits("patient").values())

    def copies(self) -> tuple[int, int]:
        """Count the files that are copies of another, and the files copied across splits."""
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
        OSError: It cannot be written.
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
    """Find out whether a tree holds what is asked.

    Returns:
        What it holds; None where there is no tree.

    Raises:
        DataError: There is something else.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    try:
        record = json.loads((root / RECORD).read_text(encoding="utf-8"))
        then, now = record["request"], _recorded(request)
        abouts = {name: About(**about) for name, about in record["sources"].items()}
        manifest = read_manifest(root)
        if manifest is None:
            raise DataError(f"{root} has lost its manifest. Delete the folder, and prepare anew.")
        report = Report(
            tuple(record["classes"]),
            tuple(manifest.rows.values()),
            record["rejected"],
            record["left_out"],
            abouts,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{root} is there, but was not prepared (no readable {RECORD} in it). Pass another "
            "out=<folder>."
        ) from error
    if then != now:
        keys = ", ".join(sorted(key for key in {*then, *now} if then.get(key) != now.get(key)))
        raise DataError(
            f"{root} was prepared from another request (these differ: {keys}). Delete the folder "
            "to have it prepared anew, or pass another out=<folder>."
        )
    return report


def _recorded(request: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten to dotted keys; paths, which may name a person, become digests."""
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
