"""Tables of a report on metrics: by split, class, folder, source and operating point."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xray.evaluation.summary import SOURCE_SCORES
from xray.reporting.cells import UNDEFINED, count_text, estimate_text, number_text, scalar_text
from xray.reporting.metric_names import METRICS, TERMS, metric_name
from xray.reporting.page import Facts, Grid
from xray.reporting.terminal import absence
from xray.stats.scores import BINARY

CI_NOTE = "In brackets: 95 % confidence intervals, bootstrap over patients."
_DECISIONS = ("sensitivity", "specificity", "ppv", "npv", "accuracy")
_ONE_CLASS = (
    "Every source contains images of one class only: these numbers cannot show whether the network "
    "recognizes the disease or only the source."
)


def metric_grid(metrics: Mapping[str, Any], title: str, note: str = CI_NOTE) -> Grid:
    """Return the table of all metrics: one row per metric, one column per split.

    Args:
        metrics: Column heading -> the entry of a split in metrics.json.
        title: The caption.
        note: The note below the table; absent classes are added to it.
    """
    splits = list(metrics)
    classes = max((len(class_names(metrics[split])) for split in splits), default=0)
    rows = [
        [metric_name(key, classes), *(estimate_text(metrics[split].get(key)) for split in splits)]
        for key in METRICS
        if any(metrics[split].get(key) is not None for split in splits)
    ]
    missing = [
        (f"{split}: " if len(splits) > 1 else "") + absence(metrics[split]["absent"])
        for split in splits
        if metrics[split].get("absent")
    ]
    sizes = [["Images", *(count_text(metrics[split].get("n")) for split in splits)]]
    if any("patients" in metrics[split] for split in splits):
        sizes.append(
            ["Patients", *(count_text(metrics[split].get("patients")) for split in splits)]
        )
    return Grid(title, ["Metric", *splits], [*sizes, *rows], " ".join([note, *missing]).strip())


def class_names(entry: Mapping[str, Any]) -> list[str]:
    """Return the class names of a split's entry in metrics.json; older runs have none."""
    found = entry.get("classes")
    return [scalar_text(name) for name in found] if isinstance(found, list) else []


def class_grid(entry: Mapping[str, Any]) -> Iterator[Grid]:
    """Yield the one-vs-rest metrics of each class, if there are three or more classes."""
    classes: Mapping[str, Any] = entry.get("per_class") or {}
    if classes:
        keys = list(next(iter(classes.values())))
        rows = [
            [name, *(estimate_text(of.get(key)) for key in keys)] for name, of in classes.items()
        ]
        columns = ["Class", *map(metric_name, keys)]
        yield Grid("Metrics by class, each class against the rest", columns, rows)


def folder_grid(entry: Mapping[str, Any]) -> Iterator[Grid]:
    """Yield the share of correct predictions by the folder that the images came from."""
    labels: Mapping[str, Any] = entry.get("per_label") or {}
    if labels:
        rows = [
            [name, count_text(of.get("n")), estimate_text(of.get("recall"))]
            for name, of in labels.items()
        ]
        columns = ["Folder", "Images", "Correct predictions"]
        yield Grid("Results by folder", columns, rows)


def source_grid(entry: Mapping[str, Any]) -> Iterator[Grid]:
    """Yield the metrics by source dataset, if the images come from two or more.

    Args:
        entry: The entry of a split in metrics.json.
    """
    sources: Mapping[str, Mapping[str, Any]] = entry.get("per_source") or {}
    if not sources:
        return
    rows = [
        [
            name,
            *(count_text(of.get(key)) for key in ("n", "patients")),
            *(estimate_text(of.get(key)) for key in SOURCE_SCORES),
        ]
        for name, of in sources.items()
    ]
    one_class = all(
        sum(map(bool, (s.get("classes") or {}).values())) == 1 for s in sources.values()
    )
    columns = ["Source", "Images", "Patients", *map(metric_name, SOURCE_SCORES)]
    note = f'"{UNDEFINED}": undefined, for example the AUROC of a source with one class.'
    yield Grid(
        "Results by source dataset", columns, rows, f"{note} {_ONE_CLASS}" if one_class else note
    )


def operating_grid(entry: Mapping[str, Any]) -> Iterator[Grid]:
    """Yield the operating points: thresholds chosen on validation images, evaluated here.

    Args:
        entry: The entry of a split in metrics.json.
    """
    points: Sequence[Mapping[str, Any]] = entry.get("operating_points") or []
    if points:
        rows = [
            [
                scalar_text(point.get("rule")),
                number_text(point.get("threshold")),
                *(estimate_text(point.get(name)) for name in _DECISIONS),
            ]
            for point in points
        ]
        columns = ["Rule", *map(metric_name, ("threshold", *_DECISIONS))]
        share = positive_share(entry)
        here = "" if share is None else f" ({share:.0%})"
        note = (
            "Every threshold was chosen on the validation images and evaluated on these images. "
            f"PPV and NPV hold for the prevalence in these images{here}."
        )
        yield Grid("Operating points", columns, rows, note)


def calibration_grid(entry: Mapping[str, Any]) -> Iterator[Grid]:
    """Yield the calibration metrics before and after temperature scaling.

    Args:
        entry: The entry of a split in metrics.json.
    """
    found: Mapping[str, Any] = entry.get("calibration") or {}
    if not found:
        return
    rows = [
        [
            metric_name(key),
            *(number_text((found.get(key) or {}).get(w)) for w in ("before", "after")),
        ]
        for key in ("ece", "log_loss", "brier")
    ]
    temperature = number_text(found.get("temperature"))
    note = f"Temperature: {temperature}, fitted on the validation images and applied to these."
    if temperature == UNDEFINED:
        note = "No temperature was fitted: no finite temperature minimizes the log loss."
    columns = ["Metric", "Before temperature scaling", "After"]
    yield Grid("Calibration", columns, rows, note)


def definitions() -> Facts:
    """Return all names of metrics and terms with their definitions."""
    metrics = [(metric.name, metric.text) for metric in METRICS.values()]
    return Facts([*metrics, *TERMS.items()])


def positive_share(entry: Mapping[str, Any]) -> float | None:
    """Return the share of positive images of a split with two classes, in [0, 1]."""
    cells = entry.get("confusion_matrix")
    if not isinstance(cells, list) or len(cells) != BINARY:
        return None
    return float(sum(cells[-1]) / max(sum(map(sum, cells)), 1))
