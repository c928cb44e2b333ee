"""What is wrong with a dataset, one finding a line."""

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
    "mask",
    "unread",
    "outside",
    "ignored",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        kind: What it is. A contradiction is a pair of duplicates of two classes.
        path: The file, below the dataset's root.
        other: The other file of a pair, or "".
        split: Where the file lies, or "".
        other_split: Where the other one lies, or "".
        detail: Figures and reasons, for people.
    """

    kind: Kind
    path: str
    other: str = ""
    split: str = ""
    other_split: str = ""
    detail: str = ""

    @property
    def crosses(self) -> bool:
        """Whether two splits share something: a leak."""
        return bool(self.other_split) and self.split != self.other_split


@dataclass(frozen=True)
class Placed:
    """Images and the split that each lies in.

    Attributes:
        samples: N images.
        splits: N splits.
        root: Of the dataset; paths in findings are relative to it.
        classes: Class names.
    """

    samples: Sequence[Sample]
    splits: Sequence[Split]
    root: Path
    classes: Sequence[str]

    def name(self, i: int) -> str:
        """Give a file's path below the root."""
        return self.samples[i].path.relative_to(self.root).as_posix()


def find(placed: Placed, screening: Screening) -> list[Finding]:
    """List what is wrong with images and with how they are split.

    Args:
        placed: The images, in the order of the screening.
        screening: What is known of the files.
    """
    return [
        *_overlaps(placed),
        *(_duplicate(placed, pair) for pair in screening.pairs),
        *_bad_files(placed, screening),
        *_misnamed(placed, screening),
    ]


def judge(findings: Iterable[Finding], unknown_patients: int) -> Verdict:
    """Say whether test figures can be trusted.

    Args:
        findings: Of the splits as they are used.
        unknown_patients: Images whose file name, or manifest, tells no patient.
    """
    if any(finding.crosses for finding in findings):
        return LEAKING
    return "unknown patients" if unknown_patients else "clean"


def write_findings(path: Path, findings: Iterable[Finding]) -> None:
    """Write one line a finding: kind, path, other, split, other_split, detail."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Finding)])
        writer.writerows(astuple(finding) for finding in findings)


def _overlaps(placed: Placed) -> Iterator[Finding]:
    """Find patients in more than one split: one finding for each two splits."""
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
    how = "the same bytes" if pair.exact else f"aligned correlation {pair.correlation:.3f}"
    kind: Kind = "exact_duplicate" if pair.exact else "near_duplicate"
    if first.target != second.target:
        kind = "contradiction"
        how = f"{placed.classes[first.target]} and {placed.classes[second.target]}, {how}"
    return Finding(
        kind,
        placed.name(pair.first),
        placed.name(pair.second),
        placed.splits[pair.first],
        placed.splits[pair.second],
        how,
    )


def _bad_files(placed: Placed, screening: Screening) -> Iterator[Finding]:
    for i, error in sorted(screening.index.problems.items()):
        yield Finding("bad_file", placed.name(i), split=placed.splits[i], detail=error.reason)


def _misnamed(placed: Placed, screening: Screening) -> Iterator[Finding]:
    """Find files of another format than their ending says; they are read by their content."""
    for i, kind in enumerate(screening.index.rows["format"].tolist()):
        if kind and placed.samples[i].path.suffix.lower() not in SUFFIXES[Format(kind)]:
            detail = f"is {kind} by its content, and read as such"
            yield Finding("misnamed", placed.name(i), split=placed.splits[i], detail=detail)


def count(findings: Iterable[Finding]) -> dict[str, dict[str, int]]:
    """Count findings: kind -> {"within": n, "across": n}, across splits and within one."""
    counted = Counter((finding.kind, finding.crosses) for finding in findings)
    kinds = sorted({kind for kind, _ in counted})
    return {k: {"within": counted[k, False], "across": counted[k, True]} for k in kinds}
