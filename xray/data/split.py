"""Splits that keep a patient's images together."""

import warnings
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from xray.errors import DataError
from xray.types import Sample


def carve(
    samples: Sequence[Sample], fraction: float, *, classes: Sequence[str], seed: int, name: str
) -> tuple[list[int], list[int]]:
    """Carve a share from samples, grouped by patient and stratified by class.

    scikit-learn's StratifiedGroupKFold with round(1 / fraction) folds, of which the first is
    carved.

    Args:
        samples: What to split.
        fraction: Share to carve, in (0, 0.5].
        classes: Class names, for messages.
        seed: Of the shuffle.
        name: What is carved ("val"), for messages.

    Returns:
        Indices kept and indices carved, each ascending.

    Raises:
        DataError: When a class has fewer than two patients, so that one side would lack it.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    patients: dict[int, set[str]] = defaultdict(set)
    for sample in samples:
        patients[sample.target].add(sample.patient)
    fewest = min(patients, key=lambda target: len(patients[target]))
    if len(patients[fewest]) < 2:  # noqa: PLR2004
        raise DataError(
            f"{name} cannot be carved from {len(samples)} images: class '{classes[fewest]}' has "
            "a single patient, "
            f"{min(patients[fewest])!r}, who cannot be on both sides. Provide a {name}/ folder, "
            "or set "
            "data.patient_pattern if that is not one patient."
        )
    targets = np.array([sample.target for sample in samples])
    groups = [sample.patient for sample in samples]
    most = max(len(names) for names in patients.values())
    splitter = StratifiedGroupKFold(
        n_splits=max(2, min(round(1 / fraction), most)), shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        # A class with fewer patients than folds is absent from some; one that has all is taken.
        warnings.filterwarnings("ignore", "The least populated class")
        folds = list(splitter.split(targets, targets, groups))
    complete = (f for f in folds if set(targets[f[0]]) == set(targets[f[1]]) == set(patients))
    kept, carved = next(complete, folds[0])
    return sorted(kept.tolist()), sorted(carved.tolist())
