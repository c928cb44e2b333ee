"""Write datasets as one ImageFolder with a manifest, completely or not at all.

Files below the folder `out`:

- images: `[<split>/]<class>/<file>`,
- masks: `masks/<kind>/[<split>/]<class>/<file>`,
- manifest.csv; and rejected.csv, if an image was rejected,
- SOURCE.md with terms and citations,
- prepare.json with the request.
"""

import csv
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

from xray.data.groups import Groups
from xray.data.manifest import write_manifest
from xray.data.manifest_row import Row
from xray.errors import DataError
from xray.sources.base import Source
from xray.sources.images import Rejected, Treatment, below, write_images
from xray.sources.prepared import REJECTED, Report, find_prepared, write_record
from xray.sources.select import (
    Choice,
    Chosen,
    choose,
    limit_images,
    name_images,
    split_images,
)
from xray.sources.source_md import source_md
from xray.sources.splitting import Splitting

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which images are selected, and how they are written.

    Attributes:
        groups: Class -> folder names.
        leave_out: Labels whose images are left out.
        split: "official", "hold_out" or "flat", see `split_images`.
        test_fraction: Share of the images that is held out for testing.
        limit: Maximum number of images per class and split; None: all.
        seed: Seed of the held-out split and of the limit.
        treatment: How each image is written.
        workers: Number of threads.
    """

    groups: Mapping[str, Sequence[str]]
    leave_out: Sequence[str]
    split: Splitting
    test_fraction: float
    limit: int | None
    seed: int
    treatment: Treatment
    workers: int


def prepare_tree(
    out: Path,
    sources: Mapping[str, Source],
    plan: Plan,
    *,
    downloads: Path,
    request: Mapping[str, Any],
) -> Report:
    """Write datasets as one ImageFolder, unless `out` was prepared from the same request.

    The files are listed at the top of this module. They are written to a temporary folder that is
    renamed at the end, so an interrupted run leaves no `out`.

    Args:
        out: The folder to create.
        sources: Name -> dataset. The names are written to the manifest.
        plan: Which images are selected, and how they are written.
        downloads: Folder in which downloaded archives are stored.
        request: Configuration as plain values.

    Returns:
        Content of `out`.

    Raises:
        XrayError: A dataset is not available or has another layout, `out` has other content or
            cannot be written, or no image can be used.
    """
    if found := find_prepared(out, request):
        log.info("%s was already prepared from this request and is not changed.", out)
        return found
    _warn_leftovers(out)
    return _write_tree(out, sources, plan, downloads, request)


def _write_tree(
    out: Path,
    sources: Mapping[str, Source],
    plan: Plan,
    downloads: Path,
    request: Mapping[str, Any],
) -> Report:
    """Write the datasets to a temporary folder and rename it to `out`."""
    stem = f".{out.name}.{uuid4().hex[:8]}"
    part, work = out.parent / f"{stem}.part", out.parent / f"{stem}.work"
    try:
        part.mkdir(parents=True)
        report = _build(part, work, sources, plan, downloads)
        write_record(part, report, request)
        part.replace(out)
    except OSError as error:
        raise DataError(
            f"{out} cannot be written ({error}). Free some space, or pass out=<writable folder>."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
    return report


def _warn_leftovers(out: Path) -> None:
    """Log a warning for each temporary folder of another run."""
    for folder in sorted(out.parent.glob(f".{escape(out.name)}.????????.*")):
        log.warning(
            "%s belongs to a run that is in progress or was killed. If it was killed, delete it.",
            folder,
        )


def _build(
    part: Path, work: Path, sources: Mapping[str, Source], plan: Plan, downloads: Path
) -> Report:
    """Write images, masks, manifest.csv, rejected.csv and SOURCE.md to `part`."""
    groups = Groups(plan.groups)
    folders: dict[str, Path] = {}
    choices: dict[str, Choice] = {}
    for name, source in sources.items():
        (work / name).mkdir(parents=True)
        root = source.open(downloads, work / name)
        folders[name] = root if root.is_dir() else root.parent
        choices[name] = choose(name, source.items(root), source.about, groups, plan.leave_out)
    chosen = name_images(_divide(choices, plan, groups.classes))
    results = write_images(
        part, chosen, plan.treatment, work=work, folders=folders, workers=plan.workers
    )
    rows, rejected = _sort(results, _absent(choices, folders))
    write_manifest(part, rows)
    if rejected:
        _write_rejected(part, rejected)
    report = Report(
        groups.classes,
        tuple(rows),
        len(rejected),
        {name: dict(choice.left_out) for name, choice in choices.items() if choice.left_out},
        {name: source.about for name, source in sources.items()},
    )
    (part / "SOURCE.md").write_text(source_md(report), encoding="utf-8")
    return report


def _divide(choices: Mapping[str, Choice], plan: Plan, classes: Sequence[str]) -> list[Chosen]:
    """Limit and split the images: per dataset, or all together if no official split is used."""
    parts = [choice.chosen for choice in choices.values()]
    if plan.split != "official":
        parts = [[replace(one, split=None) for part in parts for one in part]]
    if plan.limit is not None:
        parts = [limit_images(part, plan.limit, plan.seed) for part in parts]
    return [
        one
        for part in parts
        for one in split_images(part, plan.split, plan.test_fraction, classes, plan.seed)
    ]


def _absent(choices: Mapping[str, Choice], folders: Mapping[str, Path]) -> list[Rejected]:
    return [
        Rejected(name, below(folders[name], path), "is listed, but does not exist")
        for name, choice in choices.items()
        for path in choice.absent
    ]


def _sort(
    results: Iterable[Row | Rejected], absent: Sequence[Rejected]
) -> tuple[list[Row], list[Rejected]]:
    """Return the images that were written, and all that were rejected."""
    rows: list[Row] = []
    rejected = [*absent]
    for result in results:
        if isinstance(result, Row):
            rows.append(result)
        else:
            rejected.append(result)
    if not rows:
        first = rejected[0]
        raise DataError(
            f"None of {len(rejected)} images can be used. {first.source}: {first.path} "
            f"{first.reason}. Download the dataset again, or correct path=."
        )
    return rows, rejected


def _write_rejected(root: Path, rejected: Sequence[Rejected]) -> None:
    with (root / REJECTED).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["source", "path", "reason"])
        writer.writerows([one.source, one.path, one.reason] for one in rejected)
