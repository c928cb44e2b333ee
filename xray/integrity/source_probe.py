"""Can the class be told from what should not matter?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from xray.integrity.fingerprint import THUMBNAIL
from xray.stats.bootstrap import Interval, resample
from xray.stats.scores import auroc

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Positions of what a forest sees, and of what is held from it."""
LEAKS = 0.70
"""An AUROC whose interval lies above this is a warning that the labels leak."""

_FOLDS = 5
_DRAWS = 1000
# The forests of fewer images are grown within about two seconds, and need no progress bar.
_SILENT = 500
# Pixels of a thumbnail: 3 % and 12 % of the side.
_EDGE = THUMBNAIL // 32
_CORNER = THUMBNAIL // 8

FAMILIES = ("size", "encoding", "border", "exposure")
"""What the classes are told from: pixels stored, bits and JPEG quality, rim, mean and contrast."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How well the class can be told from one family of traits.

    Attributes:
        family: One of `FAMILIES`, or "all".
        auroc: Cross-validated; of more than two classes, the mean of each against the rest.
        low: Of its 95 % interval.
        high: Of its 95 % interval.
    """

    family: str
    auroc: float
    low: float
    high: float

    @property
    def leaks(self) -> bool:
        """Whether the interval lies above `LEAKS`."""
        return self.low > LEAKS


def source_probe(
    rows: NDArray[np.void],
    targets: NDArray[np.int64],
    clusters: NDArray[np.int64],
    seed: int = 0,
) -> list[Probe]:
    """Tell the class from how an image was taken and stored, by a forest of randomised trees.

    Acquisition should not tell the class. Where it does, the classes come from other hospitals,
    devices or files, and a network may learn those. Mean and contrast differ a little with disease,
    too: dense lungs are bright.

    Args:
        rows: (N,) fingerprints, see `xray.integrity.index.Index`.
        targets: (N,) class indices.
        clusters: (N,) what must not be split between folds, and what the bootstrap draws.
        seed: Of folds, forest and bootstrap.

    Returns:
        One probe a family, then "all"; empty where a class has fewer than five clusters.
    """
    classes = np.unique(targets)
    if len(classes) < 2 or min(len(np.unique(clusters[targets == c])) for c in classes) < _FOLDS:  # noqa: PLR2004
        return []
    traits = dict(zip(FAMILIES, _traits(rows), strict=True))
    traits["all"] = np.hstack(list(traits.values()))
    scores = _scores(list(traits.values()), targets, clusters, seed)
    return [
        Probe(family, *_auroc_interval(of_family, targets, clusters, seed))
        for family, of_family in zip(traits, scores, strict=True)
    ]


def _traits(rows: NDArray[np.void]) -> list[NDArray[np.float64]]:
    """(N, F) float64 of each family."""
    width, height = rows["width"].astype(float), rows["height"].astype(float)
    thumbnails = rows["thumbnail"].astype(float)
    return [
        np.column_stack([width, height, width / height]),
        np.column_stack([rows["bits"], rows["jpeg_quality"]]).astype(float),
        _rim(thumbnails),
        np.column_stack([thumbnails.mean(axis=(1, 2)), thumbnails.std(axis=(1, 2))]),
    ]


def _rim(thumbnails: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 24): mean, contrast and maximum of the four edges and the four corners.

    Grey values as stored: measured against the image's own, they would tell its exposure.
    """
    whole = slice(None)
    sides = (slice(None, _EDGE), slice(-_EDGE, None))
    ends = (slice(None, _CORNER), slice(-_CORNER, None))
    places = [(side, whole) for side in sides] + [(whole, side) for side in sides]
    places += [(one, two) for one in ends for two in ends]
    parts = [thumbnails[:, rows, columns] for rows, columns in places]
    return np.column_stack(
        [statistic(part, axis=(1, 2)) for part in parts for statistic in (np.mean, np.std, np.max)]
    )


def _scores(
    traits: Sequence[NDArray[np.float64]],
    targets: NDArray[np.int64],
    clusters: NDArray[np.int64],
    seed: int,
) -> list[NDArray[np.float64]]:
    """(N, K) probabilities by each family, from forests that have not seen the image's cluster."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    folds = list(splitter.split(targets, targets, clusters))

    def held_out(task: tuple[NDArray[np.float64], Fold]) -> NDArray[np.float64]:
        x, (seen, held) = task
        forest = ExtraTreesClassifier(
            60, min_samples_leaf=5, class_weight="balanced", random_state=seed
        )
        found: NDArray[np.float64] = forest.fit(x[seen], targets[seen]).predict_proba(x[held])
        return found

    tasks = [(x, fold) for x in traits for fold in folds]
    # One after the other: each sets the warning filters for a while, which all threads share.
    shown = track(tasks, "Growing forests", transient=True, disable=len(targets) < _SILENT)
    parts = [held_out(task) for task in shown]
    order = np.argsort(np.concatenate([held for _, held in folds]))
    return [np.concatenate(parts[i : i + _FOLDS])[order] for i in range(0, len(parts), _FOLDS)]


def _auroc_interval(
    scores: NDArray[np.float64],
    targets: NDArray[np.int64],
    clusters: NDArray[np.int64],
    seed: int,
) -> tuple[float, float, float]:
    """AUROC and its 95 % interval; where all resamples agree, no wider than a point."""
    classes = np.unique(targets)
    columns = range(1, 2) if len(classes) == 2 else range(len(classes))  # noqa: PLR2004

    def score(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        each = [auroc(targets == classes[k], scores[:, k], weights) for k in columns]
        return {"auroc": np.mean(each, axis=0)}

    names = [str(c) for c in clusters.tolist()]
    found = resample(score, names, draws=_DRAWS, seed=seed)["auroc"]
    interval = found.interval() or Interval(found.value, found.value)
    return found.value, interval.low, interval.high
