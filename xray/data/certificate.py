"""What a split is worth: leaks found, what was dropped for them, and the verdict on the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from xray.data.collection import Collection
from xray.errors import DataError
from xray.integrity.findings import Finding, Placed, count, find, judge
from xray.integrity.screening import Screening
from xray.integrity.verdict import UNAUDITED
from xray.types import Split

Leaks = Literal["drop", "keep", "error"]

_SHOWN = 3


@dataclass(frozen=True)
class Certificate:
    """What a split is worth.

    Attributes:
        verdict: On the splits as they are used: "clean", "leaks found", "unknown patients", or
            "not audited".
        leaks: What was done about overlaps.
        findings: All that is wrong with the dataset as it lay.
        dropped: Split -> images left out because they overlap with another split.
        skipped: Files left out because they cannot be read.
        unknown_patients: Images used whose patient nothing tells.
        remaining: Overlaps between the splits as they are used.
    """

    verdict: str
    leaks: Leaks
    findings: Sequence[Finding]
    dropped: dict[Split, int]
    skipped: int
    unknown_patients: int
    remaining: int

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, findings by their numbers: see `findings.count`."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**values, "findings": count(self.findings)}


def check_leaks(placed: Placed, screening: Screening) -> None:
    """Make sure that no two splits overlap.

    Raises:
        DataError: When they do; names the first overlaps.
    """
    leaks = [finding for finding in find(placed, screening) if finding.crosses]
    if leaks:
        raise DataError(
            f"{len(leaks)} overlaps between the splits of {placed.root}: "
            f"{'; '.join(_sentence(leak) for leak in leaks[:_SHOWN])}"
            f"{' ...' if len(leaks) > _SHOWN else ''}. Pass data.leaks=drop to leave out of "
            "training what overlaps, or run python -m xray.audit to see all of them."
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
    """Judge the splits as they are used.

    Args:
        findings: What was found in the dataset as it lay.
        used: The images used, in their splits.
        screening: What is known of them, in their order.
        classes: Class names.
        leaks: What was done about overlaps.
        dropped: How many images that left out, by split.
        skipped: How many files cannot be read.
    """
    remaining = find(Placed(used.samples, used.splits, used.root, classes), screening)
    unknown = sum(sample.patient is None for sample in used.samples)
    return Certificate(
        verdict=judge(remaining, unknown) if screening.audited else UNAUDITED,
        leaks=leaks,
        findings=findings,
        dropped=dropped,
        skipped=skipped,
        unknown_patients=unknown,
        remaining=sum(finding.crosses for finding in remaining),
    )
