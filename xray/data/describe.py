"""Patients, labels and splits of images, from manifest.csv and from their names."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from xray.data.groups import Groups
from xray.data.manifest import Manifest, read_manifest
from xray.data.manifest_row import Row
from xray.data.patients import PatientRule, check_patients, check_pattern
from xray.errors import DataError
from xray.types import Sample, Split

log = logging.getLogger(__name__)


def describe_images(
    samples: Sequence[Sample],
    splits: Sequence[Split],
    root: Path,
    groups: Groups,
    rule: PatientRule,
    *,
    is_flat: bool,
) -> tuple[list[Sample], list[Split]]:
    """Add the patients, labels and splits of a manifest.csv to images, and check them.

    Warnings are logged if manifest and files do not match, and if patient IDs look wrong.

    Args:
        samples: N images below `root`, with the patient IDs that `rule` found.
        splits: Split of the folder of each image.
        root: Folder of the dataset. An existing manifest.csv takes precedence over file names.
        groups: Folder names of each class.
        rule: Rule that found the patient IDs.
        is_flat: Whether the dataset has no split folders; the manifest may then contain splits.

    Returns:
        N images with patient, source and label, and the N splits.

    Raises:
        DataError: The manifest is malformed, names no file, or contradicts a folder.
    """
    manifest = read_manifest(root)
    described, placed = list(samples), list(splits)
    unlisted = described
    if manifest is not None:
        rows = manifest.match([sample.path.relative_to(root).as_posix() for sample in samples])
        _check_labels(samples, rows, manifest, groups)
        placed = _divide(splits, rows, manifest, is_flat=is_flat)
        described = [_described(*pair, manifest) for pair in zip(samples, rows, strict=True)]
        has_patients = "patient" in manifest.columns
        unlisted = [s for s, row in zip(samples, rows, strict=True) if not (row and has_patients)]
    check_pattern([s.path for s in unlisted], [s.patient for s in unlisted], rule)
    check_patients(described, groups.classes, rule.key)
    return described, placed


def _described(sample: Sample, row: Row | None, manifest: Manifest) -> Sample:
    if row is None:
        return sample
    patient = row.patient if "patient" in manifest.columns else sample.patient
    return replace(sample, patient=patient, source=row.source, label=row.label or sample.label)


def _check_labels(
    samples: Sequence[Sample], rows: Sequence[Row | None], manifest: Manifest, groups: Groups
) -> None:
    """Raise a DataError if label or class of a row mean another class than the folder.

    A dataset of two classes may have COVID-19 in its folder "pneumonia"; a model of three classes
    distinguishes them.
    """
    wrong = [
        (sample, row, name)
        for sample, row in zip(samples, rows, strict=True)
        if row is not None
        for name in (row.class_name, row.label)
        if name and groups.find(name) not in (None, sample.target)
    ]
    if not wrong:
        return
    sample, row, name = wrong[0]
    meaning = groups.find(name)
    assert meaning is not None
    raise DataError(
        f"{manifest.path} contradicts the folders for {len({s.path for s, _, _ in wrong})} images. "
        f"First: {row.path!r} (line {manifest.lines[row.path]}) is labeled {name!r}, which is "
        f"class '{groups.classes[meaning]}', but its folder {sample.label!r} is class "
        f"'{groups.classes[sample.target]}'. Correct the manifest, or move these images."
    )


def _divide(
    splits: Sequence[Split], rows: Sequence[Row | None], manifest: Manifest, *, is_flat: bool
) -> list[Split]:
    """Return the split of each image; in a flat folder, images without one are in "train"."""
    listed = [row.split if row else None for row in rows]
    if is_flat:
        if any(listed) and None in listed:
            log.warning(
                "%s has no split for %d of %d images: they are used for training.",
                manifest.path,
                listed.count(None),
                len(listed),
            )
        return [split or "train" for split in listed]
    wrong = [
        (row, folder)
        for row, folder in zip(rows, splits, strict=True)
        if row and row.split not in (None, folder)
    ]
    if wrong:
        row, folder = wrong[0]
        raise DataError(
            f"{manifest.path} contradicts the folders for {len(wrong)} images. First: {row.path!r} "
            f"(line {manifest.lines[row.path]}) has the split {row.split!r}, but is in the folder "
            f"of {folder!r}. Correct the manifest, or move these images."
        )
    return list(splits)
