"""The sections of a report: what the run was made of."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from xray.reporting.page import Block, Facts, Grid, Section, Text
from xray.runs.run import RunFiles

VERDICTS = {
    "clean": "Split: clean. No patient and no exposure was found in two splits.",
    "leaks found": "Split: leaks found. Some test images overlap with training.",
    "unknown patients": "Split: unknown patients. No leak was found, but one patient may be in "
    "two splits.",
    "not audited": "Split: not audited. Nobody looked for overlaps.",
}


def verdict(run: RunFiles) -> str:
    """Say what the split is worth."""
    found = run.certificate.get("verdict")
    return VERDICTS.get(str(found), "Split: unknown. The run holds no certificate of its split.")


def intended_use() -> Section:
    """Say what the network is for."""
    use = (
        "Research on chest X-rays: fine-tuning a network, and studying where it finds its evidence."
    )
    not_for = "Research only, not for diagnosis. Nothing here has been validated for clinical use."
    return Section("Intended use", [Text(use), Text(not_for)])


def data_section(run: RunFiles) -> Section:
    """Tell what the network was trained and tested on, and what the split is worth."""
    if not run.data:
        return Section("Data", [Text("The run holds no data.json: it tells nothing of its data.")])
    groups: Mapping[str, Any] = run.data.get("groups") or {}
    facts = [("Folder of images", str(run.data.get("root", "unknown")))]
    facts += [(f"Class {name}", "folders named " + ", ".join(of)) for name, of in groups.items()]
    return Section("Data", [Facts(facts), *_counts(run.data), *_certificate(run.certificate)])


def _counts(data: Mapping[str, Any]) -> Iterator[Block]:
    splits: Mapping[str, Any] = data.get("splits") or {}
    classes = [str(name) for name in data.get("classes") or []]
    labels = sorted({name for split in splits.values() for name in split.get("labels") or {}})
    rows = [
        [
            name,
            *(_count(split.get(key)) for key in ("images", "patients")),
            *(_count((split.get("classes") or {}).get(c)) for c in classes),
        ]
        for name, split in splits.items()
    ]
    note = "The network learns from train; epochs and thresholds are chosen on val; test is unseen."
    yield Grid("Images by split", ["split", "images", "patients", *classes], rows, note)
    if labels:
        rows = [
            [
                label,
                *(_count((split.get("labels") or {}).get(label, 0)) for split in splits.values()),
            ]
            for label in labels
        ]
        yield Grid("Images by the folder they came from", ["folder", *splits], rows)


def _certificate(audit: Mapping[str, Any]) -> Iterator[Block]:
    if not audit:
        yield Text("There is no certificate of the split: an older version wrote this run.")
        return
    dropped = ", ".join(f"{n} from {split}" for split, n in (audit.get("dropped") or {}).items())
    yield Facts(
        [
            ("Verdict on the split", str(audit.get("verdict", "unknown"))),
            ("Left out because they overlap", dropped or "none"),
            ("Files skipped as unreadable", _count(audit.get("skipped"))),
            ("Images whose patient is unknown", _count(audit.get("unknown_patients"))),
            ("Overlaps that remain", _count(audit.get("remaining"))),
        ]
    )
    found: Mapping[str, Any] = audit.get("findings") or {}
    if found:
        rows = [
            [kind.replace("_", " "), _count(n.get("within")), _count(n.get("across"))]
            for kind, n in found.items()
        ]
        note = "Counted before anything was left out; audit/findings.csv lists each."
        yield Grid("Found in the data", ["", "within a split", "across splits"], rows, note)


def training_section(run: RunFiles) -> Section:
    """Tell how the network was trained, and on what."""
    model: Mapping[str, Any] = run.config.get("model") or {}
    optim: Mapping[str, Any] = run.config.get("optim") or {}
    git: Mapping[str, Any] = run.environment.get("git") or {}
    commit = str(git.get("commit", "unknown")) + (" (changed)" if git.get("dirty") else "")
    facts = [
        ("Backbone", str(model.get("backbone", "unknown"))),
        ("Weights at the start", str(model.get("weights", "unknown"))),
        ("Trained part", str(model.get("trainable", "unknown"))),
        ("Image side", f"{(run.config.get('data') or {}).get('size', '?')} pixels"),
        ("Epochs", _epochs(run)),
        ("Optimiser", f"{optim.get('name', '?')}, learning rate {optim.get('lr', '?')}"),
        ("Early stopping", _stopping(run.config)),
        ("Seed", str(run.config.get("seed", "unknown"))),
    ]
    return Section("Model and training", [Facts(facts), *_environment(run.environment, commit)])


def _environment(environment: Mapping[str, Any], commit: str) -> Iterator[Block]:
    if not environment:
        yield Text("The run holds no environment.json: it tells nothing of its machine.")
        return
    cpu: Mapping[str, Any] = environment.get("cpu") or {}
    packages: Mapping[str, Any] = environment.get("packages") or {}
    machine = f"{cpu.get('model', 'unknown processor')}, {cpu.get('cores', '?')} cores"
    yield Facts(
        [
            ("Started", str(environment.get("started", "unknown"))),
            ("Finished", str(environment.get("finished", "unknown"))),
            ("Machine", ", ".join([machine, *(environment.get("gpus") or ["no GPU"])])),
            ("Git commit", commit),
            ("Command", shlex.join(map(str, environment.get("command") or []))),
            ("Python", str(environment.get("python", "unknown"))),
            ("Packages", ", ".join(f"{k} {v}" for k, v in packages.items() if v)),
        ]
    )


def _epochs(run: RunFiles) -> str:
    # The test is logged as of the epoch behind the last.
    validated = [
        row for row in run.curves if any(row[key] for key in row if str(key).startswith("val/"))
    ]
    done = [int(row["epoch"]) for row in validated if (row.get("epoch") or "").isdigit()]
    most = (run.config.get("trainer") or {}).get("max_epochs", "?")
    if not done:
        return f"{most} at most"
    return f"{max(done) + 1} of {most} at most"


def _stopping(config: Mapping[str, Any]) -> str:
    stopping = (config.get("callbacks") or {}).get("early_stopping")
    metric = (config.get("monitor") or {}).get("metric", "the monitored metric")
    if not stopping:
        return f"none; the best epoch by {metric} is kept"
    return f"after {stopping.get('patience', '?')} epochs without a better {metric}"


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"
