"""Splits stratified by class that keep related images together."""

import warnings
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from xray.errors import ConfigError, DataError
from xray.types import Sample


def hold_out(
    samples: Sequence[Sample],
    clusters: Sequence[int],
    folds: int,
    *,
    fold: int | None = None,
    classes: Sequence[str],
    seed: int,
    name: str,
    patient_key: str = "data.patient_pattern",
) -> tuple[list[int], list[int]]:
    """Hold out one fold of the samples, stratified by class, with each cluster on one side.

    Uses scikit-learn's StratifiedGroupKFold.

    Args:
        samples: N samples to split.
        clusters: Cluster of each sample, see `xray.integrity.clusters.cluster`.
        folds: Number of folds, at least 2.
        fold: Index of the fold to hold out. None: the first fold with every class on both sides,
            of as many folds as there are clusters if these are fewer than `folds`.
        classes: Class names, for messages.
        seed: Seed of the shuffle.
        name: Split that is held out ("val"), for messages.
        patient_key: Configuration key of the patient pattern, for messages.

    Returns:
        Indices of the remaining samples and of the held-out samples, each ascending.

    Raises:
        DataError: A class has fewer than two clusters, so that one side would lack the class.
        ConfigError: `fold` is given, and a class has fewer clusters than there are folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    members: dict[int, dict[int, Sample]] = defaultdict(dict)
    for sample, cluster in zip(samples, clusters, strict=True):
        members[sample.target].setdefault(cluster, sample)
    fewest = min(members, key=lambda target: len(members[target]))
    needed = folds if fold is not None else 2
    _check(members[fewest], len(samples), needed, classes[fewest], name=name, key=patient_key)
    targets = np.array([sample.target for sample in samples])
    most = max(len(found) for found in members.values())
    splitter = StratifiedGroupKFold(min(folds, most), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer clusters than folds is missing in some; a complete fold is chosen.
        warnings.filterwarnings("ignore", "The least populated class")
        made = list(splitter.split(targets, targets, list(clusters)))
    complete = (f for f in made if set(targets[f[0]]) == set(targets[f[1]]) == set(members))
    remaining, held_out = next(complete, made[0]) if fold is None else made[fold]
    return sorted(remaining.tolist()), sorted(held_out.tolist())


def _check(
    found: dict[int, Sample], images: int, needed: int, class_name: str, *, name: str, key: str
) -> None:
    if len(found) < 2:  # noqa: PLR2004
        raise DataError(
            f"The {name} split cannot be held out from {images} images: class '{class_name}' has a "
            f"single patient, {next(iter(found.values())).owner!r}, who cannot be on both sides. "
            f"Provide a {name}/ folder, or set {key} if these are several patients."
        )
    if len(found) < needed:
        raise ConfigError(
            f"data.folds is {needed}, but class '{class_name}' has {len(found)} patients. Pass "
            f"data.folds={len(found)} or fewer."
        )
