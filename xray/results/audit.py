"""What an audit leaves behind: tables, audit.json and findings.csv."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from xray.data.audit import Audit
from xray.integrity.findings import count, write_findings
from xray.integrity.probe import LEAKS, Probe
from xray.integrity.verdict import LEAKING
from xray.results.store import write_json

_NAMES = {
    "patient_overlap": "patients in two splits",
    "exact_duplicate": "duplicates, the same bytes",
    "near_duplicate": "near-duplicates",
    "contradiction": "duplicates of two classes",
    "bad_file": "files that cannot be read",
    "misnamed": "files with another format's ending",
    "ignored": "files that are passed over",
}
_FAMILIES = {
    "size": "size and aspect ratio",
    "encoding": "bit depth and JPEG quality",
    "border": "border and corners",
    "exposure": "mean and contrast",
    "all": "all of these",
}


def write_audit(folder: Path, audit: Audit) -> None:
    """Write audit.json and findings.csv."""
    write_json(folder / "audit.json", audit.as_dict())
    write_findings(folder / "findings.csv", audit.findings)


def show_audit(audit: Audit, console: Console) -> None:
    """Show the tables, and say what follows."""
    console.print(*audit_tables(audit))
    for sentence in conclusions(audit):
        console.print(sentence, soft_wrap=True)


def audit_tables(audit: Audit) -> Iterator[Table]:
    """Show counts, findings, and what the source probe says."""
    table = Table(title=f"audit: {audit.collection.root.name}", title_justify="left")
    table.add_column("split")
    for column in ("images", "patients", *audit.classes):
        table.add_column(column, justify="right")
    for split, numbers in audit.counts().items():
        columns = [numbers["images"], numbers["patients"], *numbers["classes"].values()]
        table.add_row(split, *(f"{number:,}" for number in columns))
    yield table
    table = Table(title="findings", title_justify="left")
    for column in ("", "within a split", "across splits"):
        table.add_column(column, justify="right" if column else "left")
    counted = count(audit.findings)
    for kind, name in _NAMES.items():
        if kind in counted:
            numbers = counted[kind]
            table.add_row(name, f"{numbers['within']:,}", f"{numbers['across']:,}")
    if counted:
        yield table
    if audit.probes:
        yield _probe_table(audit.probes)


def _probe_table(probes: Sequence[Probe]) -> Table:
    title = "source probe: can the class be told from how an image was taken and stored?"
    table = Table(title=title, title_justify="left")
    for column in ("told from", "AUROC [95 %]", ""):
        table.add_column(column)
    for probe in probes:
        interval = f"{probe.auroc:.3f} [{probe.low:.3f}, {probe.high:.3f}]"
        table.add_row(_FAMILIES[probe.family], interval, "labels leak" if probe.leaks else "")
    return table


def conclusions(audit: Audit) -> Iterator[str]:
    """Say in a sentence each what follows from the audit."""
    counted = count(audit.findings)
    across = sum(numbers["across"] for numbers in counted.values())
    if audit.verdict == LEAKING:
        yield (
            f"leaks found, overlaps between splits: {across:,}. Training leaves out what overlaps "
            "(data.leaks=drop)."
        )
    elif audit.verdict == "unknown patients":
        yield (
            "no leaks found; images whose patient nothing tells: "
            f"{audit.unknown_patients:,}. To know more, set data.patient_pattern, or give a "
            "manifest.csv."
        )
    else:
        yield "clean: no patient and no exposure is in two splits."
    if audit.contradictions:
        yield f"contradictions, pairs of one exposure in two classes: {audit.contradictions:,}."
    if any(probe.leaks for probe in audit.probes):
        yield (
            f"the labels leak: the class can be told from how images were taken (AUROC above "
            f"{LEAKS:.2f}). A network may learn that in place of disease."
        )
    if "bad_file" in counted:
        yield "some files cannot be read: mend them, or pass data.on_bad_file=skip."
