"""Comparison of runs on the same test images."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from xray.evaluation.estimates import resample_scores
from xray.integrity.verdict import UNAUDITED
from xray.runs.finished import FinishedRun, difference_of_sets, repeats
from xray.stats.bootstrap import Resampled
from xray.stats.intervals import rounded
from xray.stats.scores import BINARY
from xray.stats.tests import delong_test, holm, mcnemar

COMPARED = ("auroc", "accuracy")
TESTS = ("delong", "mcnemar")


def compare(runs: Sequence[FinishedRun]) -> dict[str, Any]:
    """Compare each pair of tested runs.

    Runs with the same test images are compared image by image: differences of AUROC and accuracy
    with intervals from the same resampled patients, DeLong's test of the AUROCs (two classes), and
    McNemar's test of the predicted classes. P-values are reported uncorrected and with Holm's
    correction for the number of pairs.

    Args:
        runs: Two or more tested runs.

    Returns:
        Plain values: "runs" (name, directory, n, patients, threshold, metrics), "pairs" ("a", "b",
        each difference a - b as {"value", "low", "high"}, each test as {"p", "holm"}), "unpaired"
        ("a", "b", "why") and "repeats" (for runs that differ only in seed or fold: mean, standard
        deviation, minimum and maximum of each metric).
    """
    draws = {run.name: resample_scores(run.predictions, COMPARED) for run in runs}
    pairs, unpaired = [], []
    for first, second in combinations(runs, 2):
        reason = difference_of_sets(first, second)
        if reason:
            unpaired.append({"a": first.name, "b": second.name, "why": reason})
        else:
            pairs.append(_pair(first, second, draws))
    for test in TESTS:
        for pair, corrected in zip(pairs, holm([pair[test]["p"] for pair in pairs]), strict=True):
            pair[test]["holm"] = _p(corrected)
    return {
        "runs": [_describe(run) for run in runs],
        "pairs": pairs,
        "unpaired": unpaired,
        "repeats": [_spread(group) for group in repeats(runs)],
    }


def metrics_of(run: FinishedRun) -> dict[str, dict[str, float | None]]:
    """Return the metrics in a run's entry of metrics.json, each as {"value", "low", "high"}."""
    return {
        name: {key: found.get(key) for key in ("value", "low", "high")}
        for name, found in run.metrics.items()
        if isinstance(found, dict) and "value" in found
    }


def _pair(
    first: FinishedRun, second: FinishedRun, draws: dict[str, dict[str, Resampled]]
) -> dict[str, Any]:
    one, other = first.predictions, second.predictions
    differences = {
        name: (draws[first.name][name] - draws[second.name][name]).estimate().as_dict()
        for name in COMPARED
    }
    delong = None
    if len(one.classes) == BINARY:
        delong = delong_test(one.targets == 1, one.probabilities[:, 1], other.probabilities[:, 1])
    correct = [p.predicted == p.targets for p in (one, other)]
    return {
        "a": first.name,
        "b": second.name,
        **differences,
        "delong": {"p": _p(delong)},
        "mcnemar": {"p": _p(mcnemar(*correct))},
    }


def _p(value: float | None) -> float | None:
    # Significant digits: a fixed number of decimals would turn small p-values into 0.
    return None if value is None else float(f"{value:.6g}")


def _describe(run: FinishedRun) -> dict[str, Any]:
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
    """Compute the spread of each metric that is defined in all runs of a group."""
    found: dict[str, Any] = {}
    each = [metrics_of(run) for run in group]
    for name in each[0]:
        values = [metrics[name]["value"] for metrics in each if name in metrics]
        defined = np.array([value for value in values if value is not None], dtype=np.float64)
        if len(defined) == len(group):
            found[name] = {
                "mean": rounded(defined.mean()),
                "sd": rounded(defined.std(ddof=1)),
                "min": rounded(defined.min()),
                "max": rounded(defined.max()),
            }
    return {"runs": [run.name for run in group], "metrics": found}
