"""What an audit leaves behind: tables, audit.json and findings.csv."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from xray.files import write_json
from xray.integrity.verdict import LEAKING

if TYPE_CHECKING:
    from xray.data.audit import Audit

Told = Mapping[str, Any]
"""What audit.json says, as `xray.data.audit.Audit.as_dict` gives it."""

_NAMES = {
    "patient_overlap": "patients in two splits",
    "exact_duplicate": "identical files",
    "near_duplicate": "near-duplicates",
    "contradiction": "duplicates of two classes",
    "bad_file": "files that cannot be read",
    "misnamed": "files with the ending of another format",
    "note": "files read with a note, such as clipped outliers",
    "mask": "segmentation masks, not used",
    "unread": "image files that are not read",
    "outside": "images outside the class folders",
    "ignored": "other files that are not used",
}
_FAMILIES = {
    "size": "size and aspect ratio",
    "encoding": "bit depth and JPEG quality",
    "border": "border and corners",
    "exposure": "mean and contrast",
    "all": "all of these",
}


def write_audit(folder: Path, audit: "Audit") -> None:
    """Write audit.json and findings.csv."""
    from xray.integrity.findings import write_findings

    write_json(folder / "audit.json", audit.as_dict())
    write_findings(folder / "findings.csv", audit.findings)


def passed(told: Told) -> bool:
    """Tell whether there are neither leaks nor contradictions."""
    return told["verdict"] != LEAKING and not told["contradictions"]


def show_audit(told: Told, console: Console) -> None:
    """Show the tables, and say what follows."""
    console.print(*audit_tables(told))
    for sentence in conclusions(told):
        console.print(sentence, soft_wrap=True)


def audit_tables(told: Told) -> Iterator[Table]:
    """Show counts, findings, and what the source probe says."""
    splits = told["splits"]
    table = Table(title=f"audit: {told['root']}", title_justify="left")
    table.add_column("split")
    classes = list(next(iter(splits.values()))["classes"])
    for column in ("images", "patients", *classes):
        table.add_column(column, justify="right")
    for split, numbers in splits.items():
        columns = [numbers["images"], numbers["patients"], *numbers["classes"].values()]
        table.add_row(split, *(f"{number:,}" for number in columns))
    yield table
    table = Table(title="findings", title_justify="left")
    for column in ("", "within a split", "across splits"):
        table.add_column(column, justify="right" if column else "left")
    counted = told["findings"]
    for kind, name in _NAMES.items():
        if kind in counted:
            numbers = counted[kind]
            table.add_row(name, f"{numbers['within']:,}", f"{numbers['across']:,}")
    if counted:
        yield table
    if told["source_probe"]:
        yield _probe_table(told["source_probe"])


def _probe_table(probes: Sequence[Told]) -> Table:
    title = "source probe: can the class be told from how an image was taken and stored?"
    table = Table(title=title, title_justify="left")
    for column in ("told from", "AUROC [95 %]", ""):
        table.add_column(column)
    for probe in probes:
        interval = f"{probe['auroc']:.3f} [{probe['low']:.3f}, {probe['high']:.3f}]"
        leaks = "labels leak" if probe["leaks"] else ""
        table.add_row(_FAMILIES[probe["family"]], interval, leaks)
    return table


def conclusions(told: Told) -> Iterator[str]:
    """Say in a sentence each what follows from the audit."""
    counted = told["findings"]
    across = sum(numbers["across"] for numbers in counted.values())
    if told["verdict"] == LEAKING:
        yield (
            f"leaks found, overlaps between splits: {across:,}. Training leaves out what overlaps "
            "(data.leaks=drop)."
        )
    elif told["verdict"] == "unknown patients":
        yield (
            "no leaks found; images whose patient nothing tells: "
            f"{told['unknown_patients']:,}. To know more, set data.patient_pattern, or give a "
            "manifest.csv."
        )
    else:
        yield "clean: no patient and no exposure is in two splits."
    if told["contradictions"]:
        yield f"contradictions, pairs of one exposure in two classes: {told['contradictions']:,}."
    if any(probe["leaks"] for probe in told["source_probe"]):
        yield (
            f"the labels leak: the class can be told from how images were taken (AUROC above "
            f"{told['leaks_above']:.2f}). A network may learn that in place of disease."
        )
    if "bad_file" in counted:
        yield "some files cannot be read: mend them, or pass data.on_bad_file=skip."
