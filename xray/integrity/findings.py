"""Findings about a dataset: one row per problem."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Literal

from xray.imaging.format import SUFFIXES, Format
from xray.integrity.duplicates import Pair
from xray.integrity.screening import Screening
from xray.integrity.verdict import LEAKING, Verdict
from xray.types import SPLITS, Sample, Split

Kind = Literal[
    "patient_overlap",
    "exact_duplicate",
    "near_duplicate",
    "contradiction",
    "bad_file",
    "misnamed",
    "note",
    "mask",
    "unread",
    "outside",
    "ignored",
]
"""Kind of a finding.

- patient_overlap: images of one patient in two splits.
- exact_duplicate, near_duplicate: two files that show the same radiograph.
- contradiction: duplicates with different classes.
- bad_file: a file that cannot be read.
- misnamed: a file whose ending belongs to another format; it is read by its content.
- note: a file that was read with a note, for example with clipped outliers.
- mask: a segmentation mask, which is not used as an image.
- unread: an image file of a format that is not read.
- outside: an image outside the class folders, which is not used.
- ignored: another file or folder that is not used.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of a dataset.

    Attributes:
        kind: Kind of the problem, see `Kind`.
        path: Path of the file, relative to the root of the dataset.
        other: Path of the other file of a pair, or "".
        split: Split of the file, or "".
        other_split: Split of the other file, or "".
        detail: Numbers and reasons, as text.
    """

    kind: Kind
    path: str
    other: str = ""
    split: str = ""
    other_split: str = ""
    detail: str = ""

    @property
    def crosses(self) -> bool:
        """Whether the finding is a leak: two splits share a patient or a radiograph."""
        return bool(self.other_split) and self.split != self.other_split


@dataclass(frozen=True)
class Placed:
    """Images with their splits.

    Attributes:
        samples: N images.
        splits: Split of each image.
        root: Root of the dataset; paths in findings are relative to it.
        classes: Class names.
    """

    samples: Sequence[Sample]
    splits: Sequence[Split]
    root: Path
    classes: Sequence[str]

    def name(self, i: int) -> str:
        """Return the path of image `i` relative to the root."""
        return self.samples[i].path.relative_to(self.root).as_posix()


def find(placed: Placed, screening: Screening) -> list[Finding]:
    """List the problems of images and of their splits.

    Args:
        placed: Images, in the order of the screening.
        screening: Fingerprints and duplicates of the files.
    """
    return [
        *_overlaps(placed),
        *(_duplicate(placed, pair) for pair in screening.pairs),
        *_bad_files(placed, screening),
        *_misnamed(placed, screening),
        *_notes(placed, screening),
    ]


def judge(findings: Iterable[Finding], unknown_patients: int) -> Verdict:
    """Return the verdict on the splits.

    Args:
        findings: Findings about the splits as they are used.
        unknown_patients: Number of images without a patient ID.
    """
    if any(finding.crosses for finding in findings):
        return LEAKING
    return "unknown patients" if unknown_patients else "clean"


def write_findings(path: Path, findings: Iterable[Finding]) -> None:
    """Write a CSV file with one row per finding, and the fields of `Finding` as columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Finding)])
        writer.writerows(astuple(finding) for finding in findings)


def _overlaps(placed: Placed) -> Iterator[Finding]:
    """Find patients in more than one split: one finding per patient and pair of splits."""
    seen: dict[str, dict[Split, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, (sample, split) in enumerate(zip(placed.samples, placed.splits, strict=True)):
        if sample.patient is not None:
            seen[sample.patient][split].append(i)
    for patient, places in sorted(seen.items()):
        for one, two in combinations([split for split in SPLITS if split in places], 2):
            counts = f"{len(places[one])} images in {one}, {len(places[two])} in {two}"
            yield Finding(
                "patient_overlap",
                placed.name(places[one][0]),
                placed.name(places[two][0]),
                one,
                two,
                f"patient {patient}: {counts}",
            )


def _duplicate(placed: Placed, pair: Pair) -> Finding:
    first, second = placed.samples[pair.first], placed.samples[pair.second]
    detail = "identical files" if pair.exact else f"aligned correlation {pair.correlation:.3f}"
    kind: Kind = "exact_duplicate" if pair.exact else "near_duplicate"
    if first.target != second.target:
        kind = "contradiction"
        detail = f"{placed.classes[first.target]} and {placed.classes[second.target]}, {detail}"
    return Finding(
        kind,
        placed.name(pair.first),
        placed.name(pair.second),
        placed.splits[pair.first],
        placed.splits[pair.second],
        detail,
    )


def _bad_files(placed: Placed, screening: Screening) -> Iterator[Finding]:
    for i, error in sorted(screening.index.problems.items()):
        yield Finding("bad_file", placed.name(i), split=placed.splits[i], detail=error.reason)


def _misnamed(placed: Placed, screening: Screening) -> Iterator[Finding]:
    """Find files whose ending belongs to another format; they are read by their content."""
    for i, kind in enumerate(screening.index.rows["format"].tolist()):
        if kind and placed.samples[i].path.suffix.lower() not in SUFFIXES[Format(kind)]:
            detail = f"has the content of a {kind} file and is read as {kind}"
            yield Finding("misnamed", placed.name(i), split=placed.splits[i], detail=detail)


def _notes(placed: Placed, screening: Screening) -> Iterator[Finding]:
    """Find files that were read with a note."""
    for i, note in enumerate(screening.index.rows["note"].tolist()):
        if note:
            yield Finding("note", placed.name(i), split=placed.splits[i], detail=note)


def count(findings: Iterable[Finding]) -> dict[str, dict[str, int]]:
    """Count findings by kind, within a split and across splits.

    Returns:
        Kind -> {"within": n, "across": n}.
    """
    counted = Counter((finding.kind, finding.crosses) for finding in findings)
    kinds = sorted({kind for kind, _ in counted})
    return {k: {"within": counted[k, False], "across": counted[k, True]} for k in kinds}
