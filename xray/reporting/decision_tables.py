"""The tables of a report on decisions: thresholds, what they are worth elsewhere, calibration."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xray.reporting.cells import estimate_text
from xray.reporting.page import Grid

_DECISIONS = ("sensitivity", "specificity", "ppv", "npv", "accuracy")


def decision_grids(entry: Mapping[str, Any]) -> list[Grid]:
    """Lay out operating points and calibration, where there are any.

    Args:
        entry: metrics.json's entry for a split.
    """
    return [*_points(entry), *_calibration(entry)]


def _points(entry: Mapping[str, Any]) -> Iterator[Grid]:
    points: Sequence[Mapping[str, Any]] = entry.get("operating_points") or []
    if points:
        rows = [
            [
                str(p.get("rule")),
                number_cell(p.get("threshold")),
                *(estimate_cell(p, n) for n in _DECISIONS),
            ]
            for p in points
        ]
        note = (
            "Thresholds are chosen on validation images, measured here. PPV: share of alarms that "
            "are right; NPV: share of all-clears that are: both hold for the share of ill images "
            f"here{_share_of_ill(entry)}. sens@0.95: the highest threshold with a sensitivity of "
            "0.95 on validation; youden: the best sum of sensitivity and specificity."
        )
        yield Grid("Thresholds to choose from", ["rule", "threshold", *_DECISIONS], rows, note)
        yield from _elsewhere(points)


def _share_of_ill(entry: Mapping[str, Any]) -> str:
    cells = entry.get("confusion_matrix")
    if not cells:
        return ""
    return f" ({sum(cells[-1]) / sum(map(sum, cells)):.0%})"


def _elsewhere(points: Sequence[Mapping[str, Any]]) -> Iterator[Grid]:
    """Show what alarms are worth where illness is rarer or more common."""
    rows = [
        [
            str(point.get("rule")),
            f"{place['prevalence']:.0%}",
            *(estimate_cell(place, name) for name in ("ppv", "npv")),
        ]
        for point in points
        for place in point.get("at_prevalence") or []
    ]
    if rows:
        note = (
            "By Bayes' rule, from the sensitivity and specificity measured here, which may be "
            "others elsewhere."
        )
        columns = ["rule", "share of patients who are ill", "ppv", "npv"]
        yield Grid("What alarms and all-clears are worth elsewhere", columns, rows, note)


def _calibration(entry: Mapping[str, Any]) -> Iterator[Grid]:
    found: Mapping[str, Any] = entry.get("calibration") or {}
    if found:
        rows = [
            [
                name,
                *(number_cell((found.get(name) or {}).get(when)) for when in ("before", "after")),
            ]
            for name in ("ece", "log_loss", "brier")
        ]
        note = (
            f"Temperature {number_cell(found.get('temperature'))}, fitted on validation, applied "
            "here: logits divided by it. Less is better."
        )
        yield Grid("Calibration before and after", ["", "before", "after"], rows, note)


def estimate_cell(entry: Mapping[str, Any], name: str) -> str:
    """Write a metric and its interval; older runs hold numbers without one."""
    found = entry.get(name)
    if isinstance(found, Mapping):
        return estimate_text(found)
    return number_cell(found)


def number_cell(value: Any) -> str:
    """Write a number; "-" where there is none."""
    return f"{value:.3f}" if isinstance(value, int | float) else "-"
