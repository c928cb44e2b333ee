"""What is said of a prepared tree: SOURCE.md in it, and a table on the console."""

from collections import Counter
from collections.abc import Iterator

from rich.table import Table

from xray.sources.base import About
from xray.sources.prepared import REJECTED, Report
from xray.types import SPLITS, Split


def note(report: Report) -> str:
    """Write SOURCE.md: where the images are from, under which terms, and what to cite."""
    lines = ["# Where these images are from", ""]
    for name, about in report.abouts.items():
        lines += [f"## {name}: {about.title}", "", *(f"- {line}" for line in facts(about)), ""]
    lines += ["## This copy", "", *(f"- {line}" for line in findings(report)), ""]
    lines += ["Research only, not for diagnosis.", ""]
    return "\n".join(lines)


def facts(about: About) -> Iterator[str]:
    """Yield what is to be known of a dataset, a line each."""
    yield f"Page: {about.page}"
    yield f"Licence: {about.licence}"
    yield f"Cite: {about.citation}"
    yield f"Size: {about.size}"
    yield f"Patients: {about.patients}"
    if about.classes:
        meanings = ", ".join(f"{label} -> {folder}" for label, folder in about.classes.items())
        yield f"Labels: {meanings}; others are left out"


def findings(report: Report) -> Iterator[str]:
    """Yield what is to be known of a tree, a line each."""
    patients = {row.patient for row in report.rows if row.patient}
    unknown = sum(row.patient is None for row in report.rows)
    told = f"{len(patients)} patients" + (f" and {unknown} that are not told" if unknown else "")
    yield f"{len(report.rows)} images of {told if patients else 'patients that are not told'}"
    if report.rejected:
        yield f"rejected: {report.rejected}, see {REJECTED}"
    for source, labels in report.left_out.items():
        listed = ", ".join(f"{label} ({count})" for label, count in sorted(labels.items()))
        yield f"left out of {source}, as no class claims them: {listed}"
    if count := report.split_patients():
        yield f"patients in more than one split: {count}; split=carve keeps each in one"
    copies, crossing = report.copies()
    if copies:
        yield f"files that are copies of others: {copies}, across splits: {crossing}"


def table(report: Report) -> Table:
    """Show images a class and split."""
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
