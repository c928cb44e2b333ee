"""Limitations of a result, each with the next step, derived from the numbers of a run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xray.evaluation.shortcuts import EXPOSED
from xray.reporting.cells import as_number
from xray.reporting.explanation_tables import standard_name
from xray.reporting.metric_names import metric_name

WIDE = 0.10
"""Width of a confidence interval above which the test set counts as small."""
SHIFT = 0.05
"""Decrease of the AUROC from validation to test above which a shift is reported."""
MISCALIBRATED = 0.05
"""ECE above which probabilities count as miscalibrated."""
UNBALANCED = 0.15
"""Difference of sensitivity and specificity above which another threshold is suggested."""
FEW = 50
"""Number of images of a folder below which its own results are uncertain."""

_BASELINE_MEASURES = {
    "energy in the lesion": "share of the heat inside the lesions",
    "ROAD (more is better)": "ROAD",
    "ROAD (higher is better)": "ROAD",
}
"""Measures of a scorecard that compare the heatmaps with baselines, and their names."""


@dataclass(frozen=True)
class Remark:
    """A limitation and the next step.

    Attributes:
        limit: What limits the result.
        advice: The next step.
    """

    limit: str
    advice: str


def remarks(
    config: Mapping[str, Any],
    data: Mapping[str, Any],
    metrics: Mapping[str, Any],
    measured: Sequence[Mapping[str, Any]] = (),
) -> list[Remark]:
    """Return the limitations of a run. A rule whose inputs are missing is skipped.

    Args:
        config: The configuration of the run.
        data: The content of data.json.
        metrics: The content of metrics.json.
        measured: The contents of scorecard.json and shortcuts.json files.
    """
    val, test = metrics.get("val") or {}, metrics.get("test") or {}
    return [
        *_data(config, data),
        *_size(test),
        *_shift(val, test),
        *_threshold(test),
        *_calibration(test),
        *_labels(test),
        *[remark for found in measured for remark in _measured(found)],
        *_always(config, tested=bool(test)),
    ]


def _number(entry: Mapping[str, Any], name: str, part: str = "value") -> float | None:
    """Return the value of a metric or an end of its interval; None if it is undefined."""
    found = entry.get(name)
    if isinstance(found, Mapping):
        return as_number(found.get(part))
    return as_number(found) if part == "value" else None


def _data(config: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Remark]:
    target = str((config.get("data") or {}).get("_target_", ""))
    if target.endswith("PhantomDataModule"):
        yield Remark(
            "The images are drawn phantoms, not X-rays of patients. The metrics are not "
            "transferable to real images.",
            "Train on your own images: data=folder data.root=<folder>.",
        )
    found = data.get("audit")
    yield from _split(found if isinstance(found, Mapping) else {})
    if (config.get("model") or {}).get("weights") == "random":
        yield Remark(
            "The backbone was initialized with random weights. Frozen layers keep these weights, "
            "so the result is not comparable with a pretrained run.",
            "Use pretrained weights: model.weights=imagenet, or a weights file.",
        )


def _split(audit: Mapping[str, Any]) -> Iterator[Remark]:
    """Yield the limitation that follows from the verdict on the splits."""
    verdict = audit.get("verdict")
    if verdict == "leaks found":
        yield Remark(
            f"{audit.get('remaining', 'Some')} overlaps between the splits remain: the model was "
            "trained on some of the test patients or images, so the metrics are too optimistic.",
            "Train again with data.leaks=drop.",
        )
    elif verdict == "unknown patients":
        yield Remark(
            f"{audit.get('unknown_patients', 'Some')} images have no patient ID. If a patient is "
            "in more than one split, the metrics are too optimistic.",
            "Set data.patient_pattern, or provide a manifest.csv with patient IDs.",
        )
    elif verdict == "not audited":
        yield Remark(
            "The splits were not audited for shared patients or duplicate images.",
            "Run python -m xray.audit, and train with data.audit=true.",
        )


def _size(test: Mapping[str, Any]) -> Iterator[Remark]:
    for name in ("auroc", "accuracy"):
        low, high = _number(test, name, "low"), _number(test, name, "high")
        if low is not None and high is not None and high - low > WIDE:
            yield Remark(
                f"The test set is small ({test.get('n', '?')} images of "
                f"{test.get('patients', '?')} patients): the 95 % confidence interval of the "
                f"{metric_name(name)} is {low:.3f} to {high:.3f}.",
                "Test on more patients before you compare this model with others.",
            )
            return


def _shift(val: Mapping[str, Any], test: Mapping[str, Any]) -> Iterator[Remark]:
    before, after = _number(val, "auroc"), _number(test, "auroc")
    if before is not None and after is not None and before - after > SHIFT:
        yield Remark(
            f"The AUROC decreases from {before:.3f} on validation to {after:.3f} on test. The test "
            "images differ from the training images, or the test set is small.",
            "Compare how the images of both splits were acquired, try transform=strong, and repeat "
            "the run with several values of data.split_seed.",
        )


def _threshold(test: Mapping[str, Any]) -> Iterator[Remark]:
    recall, specificity = _number(test, "recall"), _number(test, "specificity")
    threshold = as_number(test.get("threshold"))
    if threshold is None or recall is None or specificity is None:
        return
    if abs(recall - specificity) > UNBALANCED:
        missed = "many false negatives" if recall < specificity else "many false positives"
        yield Remark(
            f"At the threshold {threshold:.3g} the sensitivity is {recall:.3f} and the specificity "
            f"{specificity:.3f}: there are {missed}.",
            _other_threshold(test),
        )


def _other_threshold(test: Mapping[str, Any]) -> str:
    rules = [
        str(point.get("rule"))
        for point in test.get("operating_points") or []
        if point.get("threshold") == test["threshold"]
    ]
    rule = next((name for name in rules if not name[:1].isdigit()), None)
    if rule is None:
        return "Choose the threshold on the validation images: threshold=youden or sens@0.95."
    return (
        f"The rule {rule} chose this threshold on the validation images, which differ from the "
        "test images. Compare the other operating points in the details, or add images like the "
        "test images to the validation split."
    )


def _calibration(test: Mapping[str, Any]) -> Iterator[Remark]:
    ece, low = _number(test, "ece"), _number(test, "ece", "low")
    # The ECE of a perfectly calibrated model is above 0 by chance; its interval then starts at 0.
    if ece is None or ece <= MISCALIBRATED or low == 0:
        return
    after = as_number(((test.get("calibration") or {}).get("ece") or {}).get("after"))
    if after is not None and after < ece:
        limit = f" Temperature scaling reduces the ECE to {after:.3f}."
        advice = "Use the probabilities of python -m xray.predict, which apply the temperature."
    else:
        limit = ""
        advice = "Use more validation images to fit the temperature."
    yield Remark(
        f"The probabilities are miscalibrated: they differ from the observed frequencies by "
        f"{ece:.3f} on average (ECE).{limit}",
        advice,
    )


def _labels(test: Mapping[str, Any]) -> Iterator[Remark]:
    labels = test.get("per_label") or {}
    few = {name: entry["n"] for name, entry in labels.items() if entry.get("n", FEW) < FEW}
    if few:
        listed = ", ".join(f"{name} ({n})" for name, n in few.items())
        yield Remark(
            f"Some folders have fewer than {FEW} test images: {listed}. Results for these folders "
            "alone are uncertain.",
            "Collect more images of these folders before you evaluate the model on them.",
        )


def _measured(found: Mapping[str, Any]) -> Iterator[Remark]:
    """Yield the limitations that follow from a scorecard.json or a shortcuts.json."""
    conclusion = str(found.get("note", "")).partition(" Hidden")[0]
    if conclusion.startswith(EXPOSED):
        yield Remark(
            conclusion,
            "Check which regions the heatmaps highlight. Crop or cover marks in the images, or "
            "take all classes from one source, and train again.",
        )
    listed = found.get("rows")
    rows = [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
    for measure, name in _BASELINE_MEASURES.items():
        yield from _baselines([row for row in rows if row.get("measure") == measure], name)


def _baselines(rows: Sequence[Mapping[str, Any]], name: str) -> Iterator[Remark]:
    """Yield a limitation if heatmaps are not significantly better than every baseline."""
    maps = {str(row.get("map")): row for row in rows}
    own = maps.pop("map", {})
    value, low = as_number(own.get("value")), as_number(own.get("low"))
    values = {key: as_number(row.get("value")) for key, row in maps.items()}
    baselines = {key: found for key, found in values.items() if found is not None}
    best = max(baselines, key=baselines.__getitem__, default=None)
    if value is None or best is None:
        return
    if low is None or low <= baselines[best]:
        yield Remark(
            f"The heatmaps do not score significantly better than a baseline "
            f"({standard_name(best)}): {name} {value:.3f}, baseline {baselines[best]:.3f}.",
            "Do not use the heatmaps as evidence. Train more layers (model.trainable=block5), and "
            "evaluate more heatmaps: python -m xray.gradcam scorecard=true.",
        )


def _always(config: Mapping[str, Any], *, tested: bool) -> Iterator[Remark]:
    if not tested:
        yield Remark(
            "The run was not tested. Validation metrics are too optimistic, because the best epoch "
            "was selected with them.",
            "Run python -m xray.evaluate on this run.",
        )
    yield Remark(
        f"This is a single training run with one seed ({config.get('seed', 'unknown')}).",
        "Train with several seeds (-m seed=0,1,2,3,4), and compare the runs with "
        "python -m xray.compare.",
    )
    yield Remark(
        "The model may have learned how or where an image was acquired instead of the disease.",
        "Look for heat outside the lungs in the heatmaps, and test on images of another hospital: "
        "python -m xray.evaluate root=<folder>.",
    )
