"""Write the result of an audit: audit.json, findings.csv and tables on the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xray.files import write_json
from xray.integrity.verdict import LEAKING

if TYPE_CHECKING:
    from xray.data.audit import Audit

Record = Mapping[str, Any]
"""The content of audit.json, the result of `xray.data.audit.Audit.as_dict`."""

_KINDS = {
    "patient_overlap": "patients in two splits",
    "exact_duplicate": "exact duplicates",
    "near_duplicate": "near-duplicates",
    "contradiction": "duplicates with different classes",
    "bad_file": "unreadable files",
    "misnamed": "files with the extension of another format",
    "note": "files read with a note, such as clipped outliers",
    "mask": "segmentation masks, not used",
    "unread": "image files that are not read",
    "outside": "images outside the class folders",
    "ignored": "other files that are not used",
}
"""Kind of a finding -> its name in tables, in the order of the tables."""
_FAMILIES = {
    "size": "size and aspect ratio",
    "encoding": "bit depth and JPEG quality",
    "border": "border and corners",
    "exposure": "mean and contrast",
    "all": "all properties",
}


def write_audit(folder: Path, audit: "Audit") -> None:
    """Write audit.json and findings.csv."""
    from xray.integrity.findings import write_findings

    write_json(folder / "audit.json", audit.as_dict())
    write_findings(folder / "findings.csv", audit.findings)


def passed(record: Record) -> bool:
    """Return whether the audit found neither leaks nor contradictions."""
    return record["verdict"] != LEAKING and not record["contradictions"]


def show_audit(record: Record, console: Console) -> None:
    """Show the tables of an audit and its conclusions."""
    console.print(*audit_tables(record))
    for sentence in conclusions(record):
        console.print(sentence, soft_wrap=True, markup=False)


def audit_tables(record: Record) -> Iterator[Table]:
    """Yield the tables of image counts, findings, skipped files by extension, and the probe."""
    yield _count_table(record)
    if record["findings"]:
        yield _finding_table(record["findings"])
    if unread := (record.get("extraneous") or {}).get("unread"):
        yield _extension_table(unread)
    if record["source_probe"]:
        yield _probe_table(record["source_probe"])


def kind_name(kind: str) -> str:
    """Return the name of a kind of finding; a kind without a name is shown as it is."""
    return _KINDS.get(kind, kind.replace("_", " "))


def conclusions(record: Record) -> Iterator[str]:
    """Yield one sentence for each conclusion of the audit, with the next step."""
    yield _verdict(record)
    if record["contradictions"]:
        yield (
            f"Duplicates with different classes: {record['contradictions']:,}. findings.csv lists "
            "them; correct their labels or remove them."
        )
    if any(probe["leaks"] for probe in record["source_probe"]):
        yield (
            "The class can be predicted from technical properties of the images (AUROC above "
            f"{record['leaks_above']:.2f}). The network may learn these properties instead of the "
            "disease."
        )
    if "bad_file" in record["findings"]:
        yield "Some files are unreadable: replace them, or skip them with data.on_bad_file=skip."


def _verdict(record: Record) -> str:
    if record["verdict"] == LEAKING:
        overlaps = sum(numbers["across"] for numbers in record["findings"].values())
        return (
            f"Verdict: leaks found. Overlaps between splits: {overlaps:,}. Training removes the "
            "overlapping images with data.leaks=drop."
        )
    if record["verdict"] == "unknown patients":
        return (
            "Verdict: unknown patients. No leaks were found. Images without a patient ID: "
            f"{record['unknown_patients']:,}. To add patient IDs, set data.patient_pattern or "
            "provide a manifest.csv."
        )
    return "Verdict: clean. No patient and no duplicate image is in more than one split."


def _count_table(record: Record) -> Table:
    splits = record["splits"]
    classes = list(next(iter(splits.values()))["classes"])
    table = _table(f"audit: {record['root']}", "split", "images", "patients", *classes)
    for split, numbers in splits.items():
        counts = [numbers["images"], numbers["patients"], *numbers["classes"].values()]
        table.add_row(split, *(f"{count:,}" for count in counts))
    return table


def _finding_table(findings: Mapping[str, Mapping[str, int]]) -> Table:
    table = _table("findings", "kind", "within a split", "across splits")
    order = [*(kind for kind in _KINDS if kind in findings), *(findings.keys() - _KINDS.keys())]
    for kind in order:
        numbers = findings[kind]
        table.add_row(Text(kind_name(kind)), f"{numbers['within']:,}", f"{numbers['across']:,}")
    return table


def _extension_table(unread: Mapping[str, int]) -> Table:
    table = _table("image files that are not read", "extension", "files")
    for extension, count in unread.items():
        table.add_row(Text(extension or "none"), f"{count:,}")
    return table


def _probe_table(probes: Sequence[Record]) -> Table:
    title = "source probe: class predicted from technical properties of the images"
    table = Table(title=title, title_justify="left")
    for column in ("properties", "AUROC [95 % CI]", "result"):
        table.add_column(column)
    for probe in probes:
        interval = f"{probe['auroc']:.3f} [{probe['low']:.3f}, {probe['high']:.3f}]"
        family = _FAMILIES.get(probe["family"], probe["family"])
        table.add_row(family, interval, "reveals the class" if probe["leaks"] else "")
    return table


def _table(title: str, first: str, *numbers: str) -> Table:
    """Return an empty table with one column of text and further columns of numbers."""
    table = Table(title=Text(title), title_justify="left")
    table.add_column(first)
    for name in numbers:
        table.add_column(Text(name), justify="right")
    return table
