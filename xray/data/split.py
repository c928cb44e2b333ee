"""Splits stratified by class that keep related images together."""

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

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

    Args:
        samples: N samples to split.
        clusters: Cluster of each sample, see `xray.integrity.clusters.cluster`.
        folds: Number of folds, at least 2; reduced to the number of clusters if `fold` is None.
        fold: Index of the fold to hold out; None: the first fold with every class on both sides.
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
    members = _group(samples, clusters)
    _check(members, folds if fold is not None else 2, classes, name=name, key=patient_key)
    targets = np.array([sample.target for sample in samples])
    most = max(len(found) for found in members.values())
    made = _make_folds(targets, clusters, min(folds, most), seed)
    complete = (f for f in made if set(targets[f[0]]) == set(targets[f[1]]) == set(members))
    remaining, held_out = next(complete, made[0]) if fold is None else made[fold]
    return sorted(remaining.tolist()), sorted(held_out.tolist())


def _make_folds(
    targets: NDArray[np.int64], clusters: Sequence[int], folds: int, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the indices of the remaining and of the held-out samples of each fold.

    The folds are those of scikit-learn's `StratifiedGroupKFold`.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer clusters than folds is missing in some; `hold_out` chooses another.
        warnings.filterwarnings("ignore", "The least populated class")
        return list(splitter.split(targets, targets, list(clusters)))


def _group(
    samples: Sequence[Sample], clusters: Sequence[int]
) -> dict[int, dict[int, list[Sample]]]:
    """Group samples: class -> cluster -> samples."""
    members: dict[int, dict[int, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample, cluster in zip(samples, clusters, strict=True):
        members[sample.target][cluster].append(sample)
    return members


def _check(
    members: Mapping[int, Mapping[int, Sequence[Sample]]],
    needed: int,
    classes: Sequence[str],
    *,
    name: str,
    key: str,
) -> None:
    """Check that the class with the fewest patients has as many as there must be folds."""
    fewest = min(members, key=lambda target: len(members[target]))
    found, class_name = members[fewest], classes[fewest]
    if len(found) < 2:  # noqa: PLR2004
        images = sum(len(group) for groups in members.values() for group in groups.values())
        patient = next(iter(found.values()))[0].owner
        raise DataError(
            f"The {name} split cannot be held out from {images} images: class '{class_name}' has a "
            f"single patient, {patient!r}, who cannot be on both sides. Provide a {name}/ folder, "
            f"or set {key} if these are several patients."
        )
    if len(found) < needed:
        raise ConfigError(
            f"data.folds is {needed}, but class '{class_name}' has {len(found)} patients. Pass "
            f"data.folds={len(found)} or fewer."
        )
