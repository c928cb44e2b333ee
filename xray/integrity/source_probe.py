"""Predict the class from properties that should not matter, to detect shortcuts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from xray.integrity.fingerprint import THUMBNAIL
from xray.stats.bootstrap import resample
from xray.stats.intervals import Interval
from xray.stats.scores import auroc

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Positions of the training and of the held-out images."""

LEAKS = 0.70
"""A property leaks the label if the confidence interval of its AUROC is above this value."""

_FOLDS = 5
_DRAWS = 1000
# The forests of fewer images take under about two seconds and need no progress bar.
_SILENT = 500
# In pixels of a thumbnail: 3 % and 12 % of the side.
_EDGE = THUMBNAIL // 32
_CORNER = THUMBNAIL // 8

FAMILIES = ("size", "encoding", "border", "exposure")
"""Families of properties: size; bits and JPEG quality; borders and corners; mean and contrast."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Result for one family of properties.

    Attributes:
        family: One of `FAMILIES`, or "all".
        auroc: Cross-validated AUROC; for more than two classes the mean over one-vs-rest.
        low: Lower limit of its 95 % confidence interval.
        high: Upper limit of its 95 % confidence interval.
    """

    family: str
    auroc: float
    low: float
    high: float

    @property
    def leaks(self) -> bool:
        """Whether the confidence interval is above `LEAKS`."""
        return self.low > LEAKS


def source_probe(
    rows: NDArray[np.void],
    targets: NDArray[np.int64],
    clusters: NDArray[np.int64],
    seed: int = 0,
) -> list[Probe]:
    """Predict the class from acquisition and storage properties with extremely randomized trees.

    These properties should not predict the class. If they do, the classes come from different
    hospitals, devices or files, and a network may learn the source instead of the disease. Mean
    and contrast also differ slightly with disease, since dense lungs are bright.

    Args:
        rows: (N,) fingerprints, see `xray.integrity.index.Index`.
        targets: (N,) class indices.
        clusters: (N,) clusters that are kept in one fold and resampled by the bootstrap.
        seed: Seed of folds, forests and bootstrap.

    Returns:
        One probe per family, then "all"; empty if a class has fewer than five clusters.
    """
    classes = np.unique(targets)
    if len(classes) < 2 or min(len(np.unique(clusters[targets == c])) for c in classes) < _FOLDS:  # noqa: PLR2004
        return []
    properties = dict(zip(FAMILIES, _properties(rows), strict=True))
    properties["all"] = np.hstack(list(properties.values()))
    scores = _scores(list(properties.values()), targets, clusters, seed)
    return [
        Probe(family, *_auroc_interval(of_family, targets, clusters, seed))
        for family, of_family in zip(properties, scores, strict=True)
    ]


def _properties(rows: NDArray[np.void]) -> list[NDArray[np.float64]]:
    """Compute the properties of each family, (N, F) float64 each."""
    width, height = rows["width"].astype(float), rows["height"].astype(float)
    thumbnails = rows["thumbnail"].astype(float)
    return [
        np.column_stack([width, height, width / height]),
        np.column_stack([rows["bits"], rows["jpeg_quality"]]).astype(float),
        _border(thumbnails),
        np.column_stack([thumbnails.mean(axis=(1, 2)), thumbnails.std(axis=(1, 2))]),
    ]


def _border(thumbnails: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute mean, contrast and maximum of the four edges and four corners, (N, 24).

    The gray values are not normalized by those of the image, which would include its exposure.
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
    properties: Sequence[NDArray[np.float64]],
    targets: NDArray[np.int64],
    clusters: NDArray[np.int64],
    seed: int,
) -> list[NDArray[np.float64]]:
    """Compute (N, K) probabilities for each family by forests trained on other clusters."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    folds = list(splitter.split(targets, targets, clusters))

    def held_out(task: tuple[NDArray[np.float64], Fold]) -> NDArray[np.float64]:
        x, (train, test) = task
        forest = ExtraTreesClassifier(
            60, min_samples_leaf=5, class_weight="balanced", random_state=seed
        )
        found: NDArray[np.float64] = forest.fit(x[train], targets[train]).predict_proba(x[test])
        return found

    tasks = [(x, fold) for x in properties for fold in folds]
    # Sequential, since each forest changes the warning filters, which all threads share.
    shown = track(tasks, "Training forests", transient=True, disable=len(targets) < _SILENT)
    parts = [held_out(task) for task in shown]
    order = np.argsort(np.concatenate([test for _, test in folds]))
    return [np.concatenate(parts[i : i + _FOLDS])[order] for i in range(0, len(parts), _FOLDS)]


def _auroc_interval(
    scores: NDArray[np.float64],
    targets: NDArray[np.int64],
    clusters: NDArray[np.int64],
    seed: int,
) -> tuple[float, float, float]:
    """Compute the AUROC and its 95 % confidence interval; all resamples may agree."""
    classes = np.unique(targets)
    columns = range(1, 2) if len(classes) == 2 else range(len(classes))  # noqa: PLR2004

    def score(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        each = [auroc(targets == classes[k], scores[:, k], weights) for k in columns]
        return {"auroc": np.mean(each, axis=0)}

    names = [str(c) for c in clusters.tolist()]
    found = resample(score, names, draws=_DRAWS, seed=seed)["auroc"]
    interval = found.interval() or Interval(found.value, found.value)
    return found.value, interval.low, interval.high
