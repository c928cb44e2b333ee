"""Runs side by side: what differs by more than chance, on the same test images."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from xray.evaluation.estimates import entry, plain
from xray.evaluation.scored import resampled
from xray.integrity.verdict import UNAUDITED
from xray.runs.finished import FinishedRun, difference_of_sets, repeats
from xray.stats.bootstrap import Resampled
from xray.stats.delong import delong_test
from xray.stats.paired import holm, mcnemar
from xray.stats.scores import BINARY

COMPARED = ("auroc", "accuracy")
TESTS = ("delong", "mcnemar")


def compare(runs: Sequence[FinishedRun]) -> dict[str, Any]:
    """Compare tested runs, each with each.

    Pairs on the same test images are compared image by image: the differences of AUROC and accuracy
    with intervals by a bootstrap over the same patients, DeLong's test of the AUROCs (two classes)
    and McNemar's of the decisions, with p-values as they are and corrected for the number of pairs
    (Holm).

    Args:
        runs: Two or more.

    Returns:
        Plain values: "runs" (name, directory, n, patients, threshold, metrics), "pairs" ("a", "b",
        each difference a - b as {"value", "low", "high"}, each test as {"p", "holm"}), "unpaired"
        ("a", "b", "why") and "repeats" (runs that differ only in seed or fold: of each metric the
        mean, standard deviation, least and greatest value).
    """
    draws = {run.name: resampled(run.predictions, COMPARED) for run in runs}
    pairs, unpaired = [], []
    for one, other in combinations(runs, 2):
        why = difference_of_sets(one, other)
        if why:
            unpaired.append({"a": one.name, "b": other.name, "why": why})
        else:
            pairs.append(_pair(one, other, draws))
    for test in TESTS:
        for pair, adjusted in zip(pairs, holm([pair[test]["p"] for pair in pairs]), strict=True):
            pair[test]["holm"] = _p(adjusted)
    return {
        "runs": [_described(run) for run in runs],
        "pairs": pairs,
        "unpaired": unpaired,
        "repeats": [_spread(group) for group in repeats(runs)],
    }


def metrics_of(run: FinishedRun) -> dict[str, dict[str, float | None]]:
    """Pick the metrics out of a run's entry of metrics.json."""
    return {
        name: {key: found.get(key) for key in ("value", "low", "high")}
        for name, found in run.metrics.items()
        if isinstance(found, dict) and "value" in found
    }


def _pair(
    one: FinishedRun, other: FinishedRun, draws: dict[str, dict[str, Resampled]]
) -> dict[str, Any]:
    first, second = one.predictions, other.predictions
    differences: dict[str, Any] = {}
    for name in COMPARED:
        difference = draws[one.name][name] - draws[other.name][name]
        differences[name] = entry(difference.value, difference.interval())
    delong = None
    if len(first.classes) == BINARY:
        delong = delong_test(
            first.targets == 1, first.probabilities[:, 1], second.probabilities[:, 1]
        )
    right = [p.predicted == p.targets for p in (first, second)]
    return {
        "a": one.name,
        "b": other.name,
        **differences,
        "delong": {"p": _p(delong)},
        "mcnemar": {"p": _p(mcnemar(*right))},
    }


def _p(value: float | None) -> float | None:
    # Decimals would make the smallest ones 0.
    return None if value is None else float(f"{value:.6g}")


def _described(run: FinishedRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "directory": str(run.directory),
        "n": len(run.predictions.paths),
        "patients": len(set(run.predictions.patients)),
        "verdict": run.metrics.get("verdict", UNAUDITED),
        "threshold": run.metrics.get("threshold"),
        "metrics": metrics_of(run),
    }


def _spread(group: Sequence[FinishedRun]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    each = [metrics_of(run) for run in group]
    for name in each[0]:
        values = [metrics[name]["value"] for metrics in each if name in metrics]
        defined = np.array([value for value in values if value is not None], dtype=np.float64)
        if len(defined) == len(group):
            found[name] = {
                "mean": plain(defined.mean()),
                "sd": plain(defined.std(ddof=1)),
                "min": plain(defined.min()),
                "max": plain(defined.max()),
            }
    return {"runs": [run.name for run in group], "metrics": found}
