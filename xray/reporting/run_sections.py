"""The parts of a report that describe how a run was made: training, data and environment."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from xray.reporting.audit_tables import kind_name
from xray.reporting.cells import count_text, scalar_text
from xray.reporting.page import Block, Facts, Grid, Text
from xray.runs.run import RunFiles


def training(run: RunFiles) -> Iterator[Block]:
    """Yield how the model was trained."""
    model, optim, data = (run.config.get(key) or {} for key in ("model", "optim", "data"))
    optimizer = f"{scalar_text(optim.get('name'))}, learning rate {scalar_text(optim.get('lr'))}"
    yield Facts(
        [
            ("Backbone", scalar_text(model.get("backbone"))),
            ("Initial weights", scalar_text(model.get("weights"))),
            ("Trained layers", scalar_text(model.get("trainable"))),
            ("Image size", f"{scalar_text(data.get('size'))} pixels"),
            ("Epochs", _epochs(run)),
            ("Optimizer", optimizer),
            ("Early stopping", _stopping(run.config)),
            ("Seed", scalar_text(run.config.get("seed"))),
        ]
    )


def _epochs(run: RunFiles) -> str:
    # The test is logged with the number of the epoch after the last one.
    validated = [
        row for row in run.curves if any(row[key] for key in row if str(key).startswith("val/"))
    ]
    done = [int(row["epoch"]) for row in validated if (row.get("epoch") or "").isdigit()]
    limit = scalar_text((run.config.get("trainer") or {}).get("max_epochs"))
    return f"{max(done) + 1} (maximum: {limit})" if done else f"unknown (maximum: {limit})"


def _stopping(config: Mapping[str, Any]) -> str:
    stopping = (config.get("callbacks") or {}).get("early_stopping")
    metric = scalar_text((config.get("monitor") or {}).get("metric"), "the monitored metric")
    if not stopping:
        return f"off; the checkpoint with the best {metric} is used"
    return f"after {scalar_text(stopping.get('patience'))} epochs without improvement of {metric}"


def data_folders(run: RunFiles) -> Iterator[Block]:
    """Yield the image folder and the folder names of each class."""
    if not run.data:
        yield Text("There is no data.json: the data of this run are not recorded.")
        return
    groups: Mapping[str, Any] = run.data.get("groups") or {}
    pairs = [("Image folder", scalar_text(run.data.get("root")))]
    pairs += [
        (f"Folders of class {name}", ", ".join(map(scalar_text, of))) for name, of in groups.items()
    ]
    yield Facts(pairs)


def image_counts(run: RunFiles) -> Iterator[Block]:
    """Yield the number of images by split, and by folder."""
    splits: Mapping[str, Any] = run.data.get("splits") or {}
    if not splits:
        return
    classes = [str(name) for name in run.data.get("classes") or []]
    rows = [
        [
            name,
            *(count_text(of.get(key)) for key in ("images", "patients")),
            *(count_text((of.get("classes") or {}).get(c)) for c in classes),
        ]
        for name, of in splits.items()
    ]
    note = (
        "The model is trained on train. The best epoch and the thresholds are chosen on val. "
        "test is used for the final metrics only."
    )
    yield Grid("Images by split", ["Split", "Images", "Patients", *classes], rows, note)
    labels = sorted({name for of in splits.values() for name in of.get("labels") or {}})
    if labels:
        rows = [
            [name, *(count_text((of.get("labels") or {}).get(name, 0)) for of in splits.values())]
            for name in labels
        ]
        yield Grid("Images by folder", ["Folder", *splits], rows)


def audit_result(run: RunFiles) -> Iterator[Block]:
    """Yield the verdict on the splits and the findings of the audit."""
    audit = run.certificate
    if not audit:
        if run.data:
            yield Text("The run has no audit of its splits.")
        return
    dropped: Mapping[str, Any] = audit.get("dropped") or {}
    removed = ", ".join(f"{count_text(n)} from {split}" for split, n in dropped.items())
    yield Facts(
        [
            ("Split verdict", scalar_text(audit.get("verdict"))),
            ("Removed because of overlaps", removed or "none"),
            ("Unreadable files skipped", count_text(audit.get("skipped"))),
            *_unused_files(audit.get("extraneous")),
            ("Images without a patient ID", count_text(audit.get("unknown_patients"))),
            ("Remaining overlaps", count_text(audit.get("remaining"))),
        ]
    )
    findings: Mapping[str, Any] = audit.get("findings") or {}
    if findings:
        rows = [
            [kind_name(kind), count_text(n.get("within")), count_text(n.get("across"))]
            for kind, n in findings.items()
        ]
        note = "Counted before any image was removed. audit/findings.csv lists each finding."
        columns = ["Finding", "Within a split", "Across splits"]
        yield Grid("Findings of the audit", columns, rows, note)


def _unused_files(extraneous: Any) -> list[tuple[str, str]]:
    """List the numbers of files that are not used; empty for older runs, which did not count them.

    Args:
        extraneous: The result of `xray.data.extraneous.summarize`, read from data.json.
    """
    if not isinstance(extraneous, Mapping):
        return []
    unread: Mapping[str, Any] = extraneous.get("unread") or {}
    suffixes = [f"{suffix or 'without extension'}: {count_text(n)}" for suffix, n in unread.items()]
    return [
        ("Masks skipped", count_text(extraneous.get("masks"))),
        ("Images outside the class folders", count_text(extraneous.get("outside"))),
        ("Image files not read", ", ".join(suffixes) or "none"),
    ]


def environment(run: RunFiles) -> Iterator[Block]:
    """Yield when, where and with which versions the run was made."""
    found = run.environment
    if not found:
        yield Text("There is no environment.json: machine and versions are not recorded.")
        return
    cpu, git, packages = (found.get(key) or {} for key in ("cpu", "git", "packages"))
    machine = f"{scalar_text(cpu.get('model'))}, {scalar_text(cpu.get('cores'))} cores"
    commit = scalar_text(git.get("commit")) + (", with local changes" if git.get("dirty") else "")
    yield Facts(
        [
            ("Started", scalar_text(found.get("started"))),
            ("Finished", scalar_text(found.get("finished"))),
            ("Machine", ", ".join([machine, *map(scalar_text, found.get("gpus") or ["no GPU"])])),
            ("Git commit", commit),
            ("Command", shlex.join(map(scalar_text, found.get("command") or []))),
            ("Python", scalar_text(found.get("python"))),
            ("Packages", ", ".join(f"{k} {scalar_text(v)}" for k, v in packages.items() if v)),
        ]
    )


DATA_PARTS = (data_folders, image_counts, audit_result)
"""The parts of the section on data."""
