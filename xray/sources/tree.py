"""A whole dataset on disk: an ImageFolder with a manifest, complete or not there at all."""

import csv
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

from xray.data.groups import Groups
from xray.data.manifest import Row, write_manifest
from xray.errors import DataError
from xray.sources.base import Source
from xray.sources.prepared import REJECTED, Report, find_prepared, write_record
from xray.sources.select import (
    Choice,
    Chosen,
    Splitting,
    choose,
    limit_images,
    name_images,
    split_images,
)
from xray.sources.source_md import note
from xray.sources.write import Rejected, Treatment, below, write_images

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is taken of the sources, and how it is laid out.

    Attributes:
        groups: Class -> folder names that mean it.
        leave_out: Labels that are not wanted.
        split: "official", "carve" or "flat", see `split_images`.
        test_fraction: Share of the test set that is carved.
        limit: At most so many images of each class in each split; None: all.
        seed: Of what is carved and limited.
        treatment: What is done with each image.
        workers: Threads.
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
    """Lay datasets out as one ImageFolder, unless that has been done.

    Writes `out/[<split>/]<class>/<file>`, masks to `out/masks/<kind>/` with the same path below it,
    and manifest.csv, rejected.csv where an image was rejected, SOURCE.md with terms and citations,
    and prepare.json with the request. All is written to a sibling folder that is renamed when
    complete: a stopped run leaves no `out`.

    Args:
        out: The folder to make.
        sources: Name -> dataset; the names go into the manifest.
        plan: What is taken and how.
        downloads: Where downloaded archives are kept.
        request: What was asked, as plain values; another request for the same `out` is refused.

    Returns:
        What `out` holds.

    Raises:
        XrayError: A dataset is not to be had or not as expected, `out` holds something else or
            cannot be written, or not one image can be used.
    """
    if found := find_prepared(out, request):
        log.info("%s was prepared before, as asked: it is kept", out)
        return found
    for left in sorted(out.parent.glob(f".{escape(out.name)}.????????.*")):
        log.warning("%s is of a run that is under way or was killed; if killed, delete it", left)
    stem = f".{out.name}.{uuid4().hex[:8]}"
    part, work = out.parent / f"{stem}.part", out.parent / f"{stem}.work"
    try:
        part.mkdir(parents=True)
        report = _build(part, work, sources, plan, downloads)
        write_record(part, report, request)
        part.replace(out)
    except OSError as error:
        raise DataError(
            f"{out} cannot be written ({error}). Make room there, or pass out=<folder that you may "
            "write>."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
    return report


def _build(
    part: Path, work: Path, sources: Mapping[str, Source], plan: Plan, downloads: Path
) -> Report:
    folders, choices = {}, {}
    groups = Groups(plan.groups)
    for name, source in sources.items():
        (work / name).mkdir(parents=True)
        folder = source.open(downloads, work / name)
        folders[name] = folder if folder.is_dir() else folder.parent
        items = source.items(folder)
        choices[name] = choose(name, items, source.about, groups, plan.leave_out)
    chosen = name_images(_lay_out(choices, plan, groups.classes))
    results = list(
        write_images(part, chosen, plan.treatment, work=work, folders=folders, workers=plan.workers)
    )
    rows = [result for result in results if isinstance(result, Row)]
    rejected = [
        Rejected(name, below(folders[name], path), "is listed, but does not exist")
        for name, choice in choices.items()
        for path in choice.absent
    ] + [result for result in results if isinstance(result, Rejected)]
    if not rows:
        first = rejected[0]
        raise DataError(
            f"not one of {len(rejected)} images can be used; {first.source}: {first.path} "
            f"{first.reason}. Download the dataset again."
        )
    write_manifest(part, rows)
    if rejected:
        _write_rejected(part, rejected)
    left_out = {name: dict(choice.left_out) for name, choice in choices.items() if choice.left_out}
    abouts = {name: source.about for name, source in sources.items()}
    report = Report(groups.classes, tuple(rows), len(rejected), left_out, abouts)
    (part / "SOURCE.md").write_text(note(report), encoding="utf-8")
    return report


def _lay_out(choices: Mapping[str, Choice], plan: Plan, classes: Sequence[str]) -> list[Chosen]:
    """Limit and split: each dataset by itself, but all together where all is carved anew."""
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


def _write_rejected(root: Path, rejected: Sequence[Rejected]) -> None:
    with (root / REJECTED).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["source", "path", "reason"])
        writer.writerows([one.source, one.path, one.reason] for one in rejected)
