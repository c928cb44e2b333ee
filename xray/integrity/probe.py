"""Can the class be told from what should not matter?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xray.integrity.fingerprint import THUMBNAIL

LEAKS = 0.70
"""An AUROC whose interval lies above this is a warning that the labels leak."""

_FOLDS = 5
_DRAWS = 500
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
    return [
        Probe(
            family, *_auroc_interval(_scores(x, targets, clusters, seed), targets, clusters, seed)
        )
        for family, x in traits.items()
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
    traits: NDArray[np.float64],
    targets: NDArray[np.int64],
    clusters: NDArray[np.int64],
    seed: int,
) -> NDArray[np.float64]:
    """(N, K) probabilities, each from a forest that has not seen the image's cluster."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    forest = ExtraTreesClassifier(
        60, min_samples_leaf=5, class_weight="balanced", n_jobs=-1, random_state=seed
    )
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    scores: NDArray[np.float64] = cross_val_predict(
        forest, traits, targets, groups=clusters, cv=folds, method="predict_proba"
    )
    return scores


def _auroc_interval(
    scores: NDArray[np.float64],
    targets: NDArray[np.int64],
    clusters: NDArray[np.int64],
    seed: int,
) -> tuple[float, float, float]:
    """AUROC and its 95 % interval, by a bootstrap over clusters."""
    _, members = np.unique(clusters, return_inverse=True)
    count = members.max() + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), _DRAWS)
    weights = np.vstack([np.ones(len(targets)), draws[:, members]])
    classes = np.unique(targets)
    columns = range(1, 2) if len(classes) == 2 else range(len(classes))  # noqa: PLR2004
    values = np.mean(
        [_auroc(scores[:, k], targets == classes[k], weights) for k in columns], axis=0
    )
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return float(values[0]), float(low), float(high)


def _auroc(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(D,) area under the ROC curve for each of (D, N) weights; NaN where a class has none."""
    order = np.argsort(scores, kind="stable")
    _, starts = np.unique(scores[order], return_index=True)
    weights, positive = weights[:, order], positive[order]
    ours = np.add.reduceat(weights * positive, starts, axis=1)
    others = np.add.reduceat(weights * ~positive, starts, axis=1)
    below = np.cumsum(others, axis=1) - others / 2
    with np.errstate(invalid="ignore"):
        area: NDArray[np.float64] = (ours * below).sum(axis=1) / (
            ours.sum(axis=1) * others.sum(axis=1)
        )
    return area
