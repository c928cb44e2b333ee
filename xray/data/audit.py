"""Audit of a dataset as provided, before it is split."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xray.data.collection import Collection, collect, counts
from xray.data.extraneous import summarize
from xray.data.groups import Groups
from xray.data.patients import PatientRule
from xray.integrity.findings import Finding, count, find, judge
from xray.integrity.index import store_name
from xray.integrity.memo import memoize
from xray.integrity.screening import Screening, screen
from xray.integrity.source_probe import LEAKS, Probe, source_probe
from xray.integrity.verdict import Verdict
from xray.types import SPLITS, Split


@dataclass(frozen=True)
class Audit:
    """Result of the audit of a dataset as provided.

    Attributes:
        collection: Images in the splits that the dataset provides.
        screening: Fingerprints and duplicates of the images, in their order.
        classes: Class names.
        findings: All findings.
        probes: How well the class can be predicted from properties unrelated to disease.
        unknown_patients: Number of images without a patient ID.
    """

    collection: Collection
    screening: Screening
    classes: Sequence[str]
    findings: Sequence[Finding]
    probes: Sequence[Probe]
    unknown_patients: int

    @property
    def verdict(self) -> Verdict:
        """Verdict on the splits."""
        return judge(self.findings, self.unknown_patients)

    @property
    def contradictions(self) -> int:
        """Number of duplicates with two different classes."""
        return sum(finding.kind == "contradiction" for finding in self.findings)

    def counts(self) -> dict[Split, dict[str, Any]]:
        """Count images, patients and classes of each split that has images."""
        counted: dict[Split, dict[str, Any]] = {}
        for split in SPLITS:
            samples = [self.collection.samples[i] for i in self.collection.positions(split)]
            if samples:
                counted[split] = counts(samples, self.classes)
        return counted

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for audit.json."""
        return {
            "root": self.collection.root.name,
            "verdict": self.verdict,
            "contradictions": self.contradictions,
            "unknown_patients": self.unknown_patients,
            "splits": self.counts(),
            "findings": count(self.findings),
            "extraneous": summarize(self.collection.extraneous),
            "source_probe": [{**asdict(probe), "leaks": probe.leaks} for probe in self.probes],
            "leaks_above": LEAKS,
            "files": self.screening.index.digest,
        }


def audit(
    root: Path,
    groups: Groups,
    patient: PatientRule,
    *,
    seed: int = 0,
    folder: Path | None = None,
) -> Audit:
    """Read all files of a dataset and audit it as provided.

    Args:
        root: Data root, see `xray.data.collection.collect`.
        groups: Folder names of each class.
        patient: Rule that finds patient IDs in paths.
        seed: Seed of the source probe.
        folder: Folder that stores the results between calls; None: nothing is stored.

    Raises:
        DataError: The folders are missing or not arranged as expected.
    """
    collection = collect(root, groups, patient)
    samples = collection.samples
    screening = screen([sample.path for sample in samples], root, folder)
    return Audit(
        collection=collection,
        screening=screening,
        classes=groups.classes,
        findings=[*find(collection.placed(groups.classes), screening), *collection.extraneous],
        probes=_probe_sources(collection, screening, seed, folder),
        unknown_patients=sum(sample.patient is None for sample in samples),
    )


def _probe_sources(
    collection: Collection, screening: Screening, seed: int, folder: Path | None
) -> list[Probe]:
    """Run the source probe on the readable images, or read its stored result."""
    usable = screening.index.usable()
    rows = screening.index.rows[usable]
    clusters = screening.clusters([sample.owner for sample in collection.samples])
    targets = np.array([sample.target for sample in collection.samples], np.int64)
    grouping = hashlib.sha256(targets.tobytes() + clusters.tobytes()).hexdigest()
    probes = memoize(
        folder / f"{store_name(collection.root)}_probe.json" if folder else None,
        {"files": screening.index.digest, "groups": grouping, "seed": seed},
        lambda: [
            astuple(probe) for probe in source_probe(rows, targets[usable], clusters[usable], seed)
        ],
    )
    return [Probe(*probe) for probe in probes]
