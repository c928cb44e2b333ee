"""Assessment of a split: findings, images removed because of them, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from xray.data.collection import Collection
from xray.data.extraneous import summarize
from xray.errors import DataError
from xray.integrity.findings import Finding, Placed, count, find, judge
from xray.integrity.screening import Screening
from xray.integrity.verdict import UNAUDITED
from xray.types import Split

Leaks = Literal["drop", "keep", "error"]

_SHOWN = 3


@dataclass(frozen=True)
class Certificate:
    """Assessment of a split.

    Attributes:
        verdict: Verdict on the splits as used: "clean", "leaks found", "unknown patients" or
            "not audited".
        leaks: Treatment of overlaps, see `xray.data.partition.Rules`.
        findings: Findings about the dataset as provided.
        dropped: Split -> number of images removed because they overlap with another split.
        skipped: Number of images removed because they cannot be read.
        extraneous: Numbers of files that are not used, see `xray.data.extraneous.summarize`.
        unknown_patients: Number of images used that have no patient ID.
        remaining: Number of overlaps between the splits as used.
    """

    verdict: str
    leaks: Leaks
    findings: Sequence[Finding]
    dropped: dict[Split, int]
    skipped: int
    extraneous: dict[str, Any]
    unknown_patients: int
    remaining: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, with the findings as numbers (`xray.integrity.findings.count`)."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**values, "findings": count(self.findings)}


def check_leaks(placed: Placed, screening: Screening) -> None:
    """Check that no two splits overlap.

    Raises:
        DataError: They do; the message names the first overlaps.
    """
    leaks = [finding for finding in find(placed, screening) if finding.crosses]
    if leaks:
        raise DataError(
            f"{len(leaks)} overlaps between the splits of {placed.root}: "
            f"{'; '.join(_sentence(leak) for leak in leaks[:_SHOWN])}"
            f"{' ...' if len(leaks) > _SHOWN else ''}. Pass data.leaks=drop to remove overlapping "
            "images from training, or run python -m xray.audit to list all overlaps."
        )


def _sentence(leak: Finding) -> str:
    return f"{leak.path} and {leak.other} ({leak.detail})"


def certify(
    findings: Sequence[Finding],
    used: Collection,
    screening: Screening,
    classes: Sequence[str],
    *,
    leaks: Leaks,
    dropped: dict[Split, int],
    skipped: int,
) -> Certificate:
    """Assess the splits as used.

    Args:
        findings: Findings about the dataset as provided.
        used: Images used, in their splits.
        screening: Fingerprints and duplicates of the images used, in their order.
        classes: Class names.
        leaks: Treatment of overlaps.
        dropped: Number of images that were removed because of overlaps, by split.
        skipped: Number of images that cannot be read.
    """
    remaining = find(used.placed(classes), screening)
    unknown = sum(sample.patient is None for sample in used.samples)
    return Certificate(
        verdict=judge(remaining, unknown) if screening.audited else UNAUDITED,
        leaks=leaks,
        findings=findings,
        dropped=dropped,
        skipped=skipped,
        extraneous=summarize(used.extraneous),
        unknown_patients=unknown,
        remaining=sum(finding.crosses for finding in remaining),
    )
