"""Summary of a prepared dataset: SOURCE.md, and a table for the terminal."""

from collections import Counter
from collections.abc import Iterator

from rich.table import Table

from xray.sources.base import About
from xray.sources.prepared import REJECTED, Report
from xray.types import SPLITS, Split


def source_md(report: Report) -> str:
    """Return the content of SOURCE.md: origin, terms and citation of the images."""
    lines = ["# Sources of these images", ""]
    for name, about in report.abouts.items():
        lines += [f"## {name}: {about.title}", "", *(f"- {line}" for line in facts(about)), ""]
    lines += ["## This copy", "", *(f"- {line}" for line in findings(report)), ""]
    lines += ["For research only, not for diagnosis.", ""]
    return "\n".join(lines)


def facts(about: About) -> Iterator[str]:
    """Yield lines that describe a dataset and its terms."""
    yield f"Page: {about.page}"
    yield f"License: {about.license}"
    yield f"Cite: {about.citation}"
    yield f"Size: {about.size}"
    yield f"Patients: {about.patients}"
    if about.classes:
        meanings = ", ".join(f"{label} -> {folder}" for label, folder in about.classes.items())
        yield f"Labels: {meanings}; images with other labels are left out"


def findings(report: Report) -> Iterator[str]:
    """Yield lines that describe a prepared dataset."""
    patients = {row.patient for row in report.rows if row.patient}
    unknown = sum(row.patient is None for row in report.rows)
    yield f"Images: {len(report.rows)}, of {len(patients)} patients"
    if unknown:
        yield f"Images without a patient ID: {unknown}"
    if report.rejected:
        yield f"Rejected images: {report.rejected}, see {REJECTED}"
    for source, labels in report.left_out.items():
        listed = ", ".join(f"{label} ({count})" for label, count in sorted(labels.items()))
        yield f"Left out of {source}, because no class includes the label: {listed}"
    if count := report.split_patients():
        yield f"Patients in more than one split: {count}; split=hold_out keeps each in one split"
    copies, crossing = report.copies()
    if copies:
        yield f"Duplicate files: {copies}, of which in more than one split: {crossing}"


def table(report: Report) -> Table:
    """Return a table of the number of images per class and split."""
    counts = Counter((row.class_name, row.split) for row in report.rows)
    splits: list[Split | None] = [s for s in SPLITS if any(row.split == s for row in report.rows)]
    splits = splits or [None]
    shown = Table(title="Images")
    shown.add_column("class")
    for split in [*splits, "all"]:
        shown.add_column(split or "not split", justify="right")
    for name in report.classes:
        numbers = [counts[name, split] for split in splits]
        shown.add_row(name, *map(str, [*numbers, sum(numbers)]))
    totals = [sum(counts[name, split] for name in report.classes) for split in splits]
    shown.add_section()
    shown.add_row("all", *map(str, [*totals, sum(totals)]))
    return shown
