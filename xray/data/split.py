"""Splits that keep together what belongs together."""

import warnings
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from xray.errors import ConfigError, DataError
from xray.types import Sample


def carve(
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
    """Carve a fold from samples, stratified by class, no cluster on both sides.

    scikit-learn's StratifiedGroupKFold.

    Args:
        samples: What to split.
        clusters: What must not be split: numbers such as `xray.integrity.clusters` gives.
        folds: How many folds are made, at least 2.
        fold: Which one is carved, from 0; None: the first where every class is on both sides, of
            as many folds as there are clusters if they are fewer.
        classes: Class names, for messages.
        seed: Of the shuffle.
        name: What is carved ("val"), for messages.
        patient_key: The key that says which images are of one patient, for messages.

    Returns:
        Indices kept and indices carved, each ascending.

    Raises:
        DataError: When a class has fewer than two clusters, so that one side would lack it.
        ConfigError: When a fold is asked for, and a class has fewer clusters than there are folds.
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
        # A class with fewer clusters than folds is absent from some; one that has all is taken.
        warnings.filterwarnings("ignore", "The least populated class")
        made = list(splitter.split(targets, targets, list(clusters)))
    complete = (f for f in made if set(targets[f[0]]) == set(targets[f[1]]) == set(members))
    kept, carved = next(complete, made[0]) if fold is None else made[fold]
    return sorted(kept.tolist()), sorted(carved.tolist())


def _check(
    found: dict[int, Sample], images: int, needed: int, class_name: str, *, name: str, key: str
) -> None:
    if len(found) < 2:  # noqa: PLR2004
        raise DataError(
            f"{name} cannot be carved from {images} images: class '{class_name}' has a single "
            f"patient, {next(iter(found.values())).owner!r}, who cannot be on both sides. Provide "
            f"a {name}/ folder, or set {key} if that is not one patient."
        )
    if len(found) < needed:
        raise ConfigError(
            f"data.folds is {needed}, but class '{class_name}' has {len(found)} patients. Pass "
            f"data.folds={len(found)} or fewer."
        )
