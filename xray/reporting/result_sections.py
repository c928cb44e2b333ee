"""The sections of a report that are always visible: result, figures, heatmaps, errors, limits."""

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from xray.reporting.cells import count_text, estimate_text, number_text, scalar_text
from xray.reporting.damage import DAMAGE, section
from xray.reporting.embed import embed
from xray.reporting.failures import confident_errors
from xray.reporting.limitations import remarks
from xray.reporting.metric_names import metric_name
from xray.reporting.metric_tables import CI_NOTE, class_names
from xray.reporting.page import Advice, Block, Grid, Headline, Picture, Pictures, Section, Text
from xray.runs import layout
from xray.runs.predictions import Predictions
from xray.runs.run import RunFiles
from xray.stats.scores import BINARY

MAX_PICTURES = 48
"""A report shows at most this many pictures of a gallery."""
_ERRORS = 12
_KEY_METRICS = ("auroc", "recall", "specificity", "accuracy")
_USE = "Research only, not for diagnosis. The model has not been validated for clinical use."
_VERDICTS = {
    "clean": "Split verdict: clean. No patient and no duplicate image is in more than one split.",
    "leaks found": "Split verdict: leaks found. Some patients or images are in more than one "
    "split, so the metrics are too optimistic.",
    "unknown patients": "Split verdict: unknown patients. No duplicate images were found, but some "
    "images have no patient ID, so a patient may be in more than one split.",
    "not audited": "Split verdict: not audited. The splits were not checked for shared patients or "
    "duplicate images.",
}
_NO_VERDICT = "Split verdict: unknown. The run has no audit of its splits."
_FIGURES = {
    "roc": "ROC curve: sensitivity against 1 - specificity at all thresholds.",
    "confusion": "Confusion matrix: number of images, and share of the true class.",
    "reliability": "Calibration: observed frequency against predicted probability, and the number "
    "of images per bin.",
}


def headline(run: RunFiles) -> Headline:
    """Return the key metrics, what they were measured on, and the verdict on the split."""
    verdict = run.certificate.get("verdict")
    sentence = _VERDICTS.get(str(verdict), _NO_VERDICT)
    try:
        metrics, sentences = _key_metrics(run)
    except DAMAGE:
        metrics, sentences = [], ["metrics.json is damaged: the result cannot be shown."]
    return Headline(metrics, sentences, sentence, verdict == "clean", _USE)


def _key_metrics(run: RunFiles) -> tuple[list[tuple[str, str]], list[str]]:
    split = run.split
    if split is None:
        return [], ["This run has no test results: metrics.json is missing or empty."]
    entry = run.metrics[split]
    classes = class_names(entry)
    metrics = [(metric_name(k, len(classes)), estimate_text(entry.get(k))) for k in _KEY_METRICS]
    name = "Test split" if split == "test" else "Validation split (the run was not tested)"
    n, patients = count_text(entry.get("n")), count_text(entry.get("patients"))
    sentences = [f"{name}: {n} images of {patients} patients."]
    if entry.get("threshold") is not None:
        positive = classes[BINARY - 1] if len(classes) == BINARY else "the second class"
        threshold = number_text(entry["threshold"])
        sentences.append(
            f'The prediction is "{positive}" if its probability is above {threshold}{_rule(entry)}.'
        )
    return metrics, [*sentences, CI_NOTE]


def _rule(entry: Mapping[str, Any]) -> str:
    """Return the rule that chose the threshold, if one is recorded."""
    points: Sequence[Mapping[str, Any]] = entry.get("operating_points") or []
    rules = [str(p.get("rule")) for p in points if p.get("threshold") == entry["threshold"]]
    fitted = [rule for rule in rules if not rule[:1].isdigit()]
    return f" (rule {fitted[0]}, chosen on the validation images)" if fitted else ""


def figures_section(run: RunFiles) -> Section:
    """Return the ROC curve, the confusion matrix and the calibration curve."""
    return section("Results", partial(_figures, run))


def _figures(run: RunFiles) -> Iterator[Block]:
    split = run.split or "test"
    if run.split is None:
        yield Text(
            "There is no metrics.json: the run was not tested (test=false) or did not finish. "
            f"Test it with: python -m xray.evaluate run={run.directory}"
        )
    entry = run.metrics.get(split) or {}
    pictures = [
        embed(run.directory, link, f"{text} {_values(name, entry)}".strip(), text, chart=True)
        for name, text in _FIGURES.items()
        if (run.directory / (link := f"{layout.FIGURES}/{split}_{name}.png")).is_file()
    ]
    if pictures:
        yield Pictures(pictures, "three", chart=True)
    else:
        yield Text("The run has no figures.")


def _values(name: str, entry: Mapping[str, Any]) -> str:
    """Return the numbers of a figure for readers who do not see it."""
    classes, cells = class_names(entry), entry.get("confusion_matrix")
    if name == "confusion" and isinstance(cells, list):
        rows = zip(classes, cells, strict=False)
        parts = [
            f"true {truth}: "
            + ", ".join(f"{n} predicted {name}" for name, n in zip(classes, row, strict=False))
            for truth, row in rows
        ]
        return "; ".join(parts)
    keys = {"roc": "auroc", "reliability": "ece"}
    if name not in keys or keys[name] not in entry:
        return ""
    key = keys[name]
    return f"{metric_name(key, len(classes))} {estimate_text(entry[key])}."


def heatmaps_section(run: RunFiles) -> Section:
    """Return the Grad-CAM gallery, images of COVID-19 folders first."""
    return section("Grad-CAM heatmaps", partial(_gallery, run), partial(_evaluation, run))


def _gallery(run: RunFiles) -> Iterator[Block]:
    if not run.overlays:
        yield Text(
            f"The run has no heatmaps. Draw some with: python -m xray.gradcam run={run.directory}"
        )
        return
    split, rows = next(iter(run.overlays.items()))
    yield Text(
        f"Each picture shows an image of the {split} split, its heatmap ({_methods(rows)}) and the "
        f"overlay of both. Warm colors mark the regions that support {_explained(rows)}. Heatmaps "
        "are coarse and do not prove a cause. Heat outside the lungs is a warning sign."
    )
    first = sorted(rows, key=lambda row: not _is_covid(row.get("label") or ""))
    yield Pictures([_overlay(run, layout.gallery(split), row) for row in first[:MAX_PICTURES]])
    if len(rows) > MAX_PICTURES:
        folder = layout.gallery(split).as_posix()
        yield Text(f"{MAX_PICTURES} of {len(rows)} heatmaps are shown; all are in {folder}/.")


def _evaluation(run: RunFiles) -> Iterator[Block]:
    """State whether the heatmaps were evaluated; a scorecard's note states what was skipped."""
    if not any(path.name == layout.SCORECARD for path in run.measured):
        yield Text(
            "These heatmaps were not evaluated. Compare them with baselines: "
            f"python -m xray.gradcam run={run.directory} scorecard=true"
        )


def _methods(rows: Sequence[Mapping[str, str]]) -> str:
    names = dict.fromkeys(row.get("method") or "gradcam" for row in rows)
    return ", ".join("Grad-CAM" if name == "gradcam" else name for name in names)


def _explained(rows: Sequence[Mapping[str, str]]) -> str:
    own = all(row.get("explained") in ("", None, row.get("predicted")) for row in rows)
    return "the predicted class" if own else "the class named in the picture"


def errors_section(run: RunFiles) -> Section:
    """Return the most confident errors."""
    return section("Confident errors", partial(_errors, run))


def _errors(run: RunFiles) -> Iterator[Block]:
    split = run.split or "test"
    predictions = run.predictions(split)
    if predictions is None:
        yield Text(f"The run has no predictions of the {split} split.")
        return
    errors = confident_errors(predictions, _ERRORS)
    if not errors:
        yield Text(f"All predictions of the {split} split are correct.")
        return
    total = int((predictions.predicted != predictions.targets).sum())
    yield Text(
        f"Shown: {len(errors)} of {total:,} errors in {len(predictions.paths):,} {split} images, "
        "most confident first."
    )
    yield from _error_pictures(run, split, predictions, errors)


def _error_pictures(
    run: RunFiles, split: str, predictions: Predictions, errors: Sequence[int]
) -> Iterator[Block]:
    """Yield the heatmaps of the errors; without heatmaps, the images and a table."""
    wrong: Set[str] = {predictions.paths[i] for i in errors}
    # An earlier checkpoint or threshold may have had other errors.
    drawn = [row for row in run.failures.get(split, []) if row.get("path") in wrong]
    if drawn:
        yield Pictures([_overlay(run, layout.failures(split), row) for row in drawn[:_ERRORS]])
        return
    command = f"python -m xray.gradcam run={run.directory} split={split}"
    yield Text(f"These images have no heatmaps. Draw them with: {command}")
    link = f"{layout.FIGURES}/{split}_failures.png"
    if (run.directory / link).is_file():
        alt = f"The most confident errors of the {split} split, listed in the table below."
        yield Pictures([embed(run.directory, link, alt)], "one")
    yield _error_grid(predictions, errors)


def _error_grid(predictions: Predictions, errors: Sequence[int]) -> Grid:
    rows = [
        [
            PurePath(predictions.paths[i]).name,
            f"{predictions.classes[predictions.targets[i]]} ({predictions.labels[i]})",
            predictions.classes[predictions.predicted[i]],
            number_text(float(predictions.probabilities[i, predictions.predicted[i]])),
        ]
        for i in errors
    ]
    columns = ["Image", "True class (folder)", "Predicted class", "Probability"]
    return Grid("Most confident errors", columns, rows)


def limitations_section(run: RunFiles) -> Section:
    """Return the limitations of the result, each with the next step."""

    def advice() -> Iterator[Block]:
        found = remarks(run.config, run.data, run.metrics, list(run.measured.values()))
        yield Advice([(remark.limit, remark.advice) for remark in found])

    return section("Limitations and next steps", advice)


def _overlay(run: RunFiles, folder: Path, row: Mapping[str, str]) -> Picture:
    name = PurePath(row.get("path") or "").name
    truth, label, predicted = (
        scalar_text(row.get(key), "?") for key in ("truth", "label", "predicted")
    )
    caption = f"{name}: true class {truth} ({label}), predicted {predicted}"
    if probability := row.get("probability"):
        # Non-breaking spaces keep the parentheses on one line.
        caption += f" (p\u00a0=\u00a0{_rounded(probability)})"
    alt = f"X-ray image, heatmap and overlay of {name}"
    return embed(run.directory, f"{folder.as_posix()}/{row.get('file') or ''}", alt, caption)


def _rounded(text: str) -> str:
    """Round the number in a cell of index.csv; other text is "?"."""
    try:
        return number_text(float(text))
    except ValueError:
        return "?"


def _is_covid(label: str) -> bool:
    return label.casefold().replace(" ", "").startswith("covid")
