"""What speaks against a run's result, and what to try next, from its own numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xray.evaluation.shortcuts import EXPOSED

WIDE = 0.10
"""Width of an interval above which the test is too small to tell good from fair."""
SHIFT = 0.05
"""Fall of the AUROC from validation to test that is worth a word."""
MISCALIBRATED = 0.05
"""Expected calibration error above which a probability should not be read as one."""
UNBALANCED = 0.15
"""Difference of sensitivity and specificity that another threshold would mend."""
FEW = 50
"""Images of a class or label below which its own figures say little."""


@dataclass(frozen=True)
class Remark:
    """A limitation and what to do about it.

    Attributes:
        limit: What speaks against the result.
        advice: The next move.
    """

    limit: str
    advice: str


def remarks(
    config: Mapping[str, Any],
    data: Mapping[str, Any],
    metrics: Mapping[str, Any],
    measured: Sequence[Mapping[str, Any]] = (),
) -> list[Remark]:
    """Judge a run by its numbers; a rule whose number is missing says nothing.

    Args:
        config: The run's configuration.
        data: data.json.
        metrics: metrics.json.
        measured: What scorecard.json and shortcuts.json hold.
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


def number(entry: Mapping[str, Any], name: str, part: str = "value") -> float | None:
    """Give a metric's value, or an end of its interval; None where it has none."""
    found = entry.get(name)
    value = found.get(part) if isinstance(found, Mapping) else found if part == "value" else None
    return float(value) if isinstance(value, int | float) else None


def _data(config: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Remark]:
    target = str((config.get("data") or {}).get("_target_", ""))
    if target.endswith("PhantomDataModule"):
        yield Remark(
            "The images are drawings, not patients: these figures say nothing of real X-rays.",
            "Train on your own images: data=folder data.root=<folder>.",
        )
    found = data.get("audit")
    audit = found if isinstance(found, Mapping) else {}
    verdict = audit.get("verdict")
    if verdict == "leaks found":
        yield Remark(
            f"{audit.get('remaining', 'Some')} overlaps between the splits remain: the network has "
            "seen some of what it is tested on, and the figures are too good.",
            "Train again with data.leaks=drop.",
        )
    elif verdict == "unknown patients":
        yield Remark(
            f"Nothing tells the patient of {audit.get('unknown_patients', 'some')} images: one "
            "patient may be in two splits, which makes figures too good.",
            "Set data.patient_pattern, or give a manifest.csv that names patients.",
        )
    elif verdict == "not audited":
        yield Remark(
            "Nobody looked for images or patients that two splits share.",
            "Run python -m xray.audit, and train with data.audit=true.",
        )
    if (config.get("model") or {}).get("weights") == "random":
        yield Remark(
            "The network started from random weights, not from ones trained on photographs.",
            "Give model.weights=imagenet, or a file of weights.",
        )


def _size(test: Mapping[str, Any]) -> Iterator[Remark]:
    for name in ("auroc", "accuracy"):
        low, high = number(test, name, "low"), number(test, name, "high")
        if low is not None and high is not None and high - low > WIDE:
            yield Remark(
                f"The test is small ({test.get('n', '?')} images of {test.get('patients', '?')} "
                f"patients): its {_NAMES[name]} may lie anywhere from {low:.3f} to {high:.3f}.",
                "Test on more patients before comparing with anything else.",
            )
            return


def _shift(val: Mapping[str, Any], test: Mapping[str, Any]) -> Iterator[Remark]:
    before, after = number(val, "auroc"), number(test, "auroc")
    if before is not None and after is not None and before - after > SHIFT:
        yield Remark(
            f"The AUROC falls from {before:.3f} on validation to {after:.3f} on test: the test "
            "images differ from those it was trained on, or few images mislead.",
            "See how the two were taken; try transform=strong; compare over data.split_seed.",
        )


def _threshold(test: Mapping[str, Any]) -> Iterator[Remark]:
    recall, specificity = number(test, "recall"), number(test, "specificity")
    if test.get("threshold") is None or recall is None or specificity is None:
        return
    if abs(recall - specificity) > UNBALANCED:
        more, less = ("misses", "false alarms") if recall < specificity else _ALARMS
        yield Remark(
            f"At the threshold of {test['threshold']:.3g} sensitivity is {recall:.3f} and "
            f"specificity {specificity:.3f}: many {more}, few {less}.",
            _other_threshold(test),
        )


def _other_threshold(test: Mapping[str, Any]) -> str:
    chosen = [
        str(point.get("rule"))
        for point in test.get("operating_points") or []
        if point.get("threshold") == test["threshold"]
    ]
    rule = next((name for name in chosen if not name[:1].isdigit()), None)
    if rule is None:
        return "Choose the operating point on validation: threshold=youden or threshold=sens@0.95."
    return (
        f"{rule} chose it on validation, whose images differ from these. See the other thresholds "
        "in the table; to choose one for such images, take some of them into validation."
    )


def _calibration(test: Mapping[str, Any]) -> Iterator[Remark]:
    ece, low = number(test, "ece"), number(test, "ece", "low")
    # A perfect network, too, seems to be off by chance, which is where an interval begins at 0.
    if ece is None or ece <= MISCALIBRATED or low == 0:
        return
    found = test.get("calibration") or {}
    after = (found.get("ece") or {}).get("after")
    better = after is not None and after < ece
    mended = f" The fitted temperature brings it to {after:.3f}." if better else ""
    yield Remark(
        f"Probabilities are off by {ece:.3f} on average: do not read 0.9 as nine in ten.{mended}",
        "Divide the logits by the temperature above before showing probabilities to anybody."
        if mended
        else "Take more validation images, and calibrate on them.",
    )


def _labels(test: Mapping[str, Any]) -> Iterator[Remark]:
    labels = test.get("per_label") or {}
    few = {name: entry["n"] for name, entry in labels.items() if entry.get("n", FEW) < FEW}
    if few:
        listed = ", ".join(f"{name} ({n})" for name, n in few.items())
        yield Remark(
            f"Few test images of: {listed}. Figures of theirs alone say little.",
            "Collect more of them before judging how the network does there.",
        )


def _measured(found: Mapping[str, Any]) -> Iterator[Remark]:
    """Judge by a scorecard.json or a shortcuts.json."""
    said = str(found.get("note", "")).partition(" Hidden:")[0]
    if said.startswith(EXPOSED):
        yield Remark(
            said,
            "See where the overlays are hot. Crop or cover what is marked on the images, or take "
            "all classes from one source, and train again.",
        )
    rows = [row for row in found.get("rows") or [] if isinstance(row, Mapping)]
    for measure, short in _TELLING.items():
        maps = {str(row.get("map")): row for row in rows if row.get("measure") == measure}
        own = maps.pop("map", {})
        values = {name: row.get("value") for name, row in maps.items()}
        controls = {name: value for name, value in values.items() if value is not None}
        best = max(controls, key=controls.__getitem__, default=None)
        if own.get("value") is None or best is None:
            continue
        if own.get("low") is None or own["low"] <= controls[best]:
            yield Remark(
                f"The heatmaps are not shown to be better than what knows less: {short} "
                f"{own['value']:.3f}, and {controls[best]:.3f} of a control ({best}).",
                "Take no overlay for evidence. Train more than the head (model.trainable=block5), "
                "and score the maps of more images: python -m xray.gradcam scorecard=true.",
            )


def _always(config: Mapping[str, Any], *, tested: bool) -> Iterator[Remark]:
    if not tested:
        yield Remark(
            "Nothing was tested: validation figures are too good, as the best epoch was chosen by "
            "them.",
            "Run python -m xray.evaluate on this run.",
        )
    yield Remark(
        f"This is one training with one seed ({config.get('seed', 'unknown')}).",
        "Train with several: -m seed=0,1,2,3,4, and compare them with python -m xray.compare.",
    )
    yield Remark(
        "A network can learn how or where an image was taken in place of disease.",
        "Look at the overlays for heat outside the lungs, and test on another hospital's images: "
        "python -m xray.evaluate root=<folder>.",
    )


_TELLING = {"energy in the lesion": "energy in the lesions", "ROAD (more is better)": "ROAD"}
"""Measures of a scorecard that maps and controls are compared by, and what they are called."""
_NAMES = {"auroc": "AUROC", "accuracy": "accuracy"}
_ALARMS = ("false alarms", "misses")
