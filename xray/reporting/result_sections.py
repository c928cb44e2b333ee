"""The sections of a report: what came out."""

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from xray.reporting.decision_tables import decision_grids, estimate_cell, number_cell
from xray.reporting.failures import worst_failures
from xray.reporting.limitations import remarks
from xray.reporting.measured_tables import measured_grids
from xray.reporting.metric_tables import metric_grid
from xray.reporting.page import Block, Facts, Grid, Picture, Pictures, Section, Text
from xray.reporting.source_tables import source_grid
from xray.runs import layout
from xray.runs.run import RunFiles
from xray.stats.scores import BINARY

_FIGURES = {
    "curves": "Loss, validation scores and learning rate by epoch",
    "{split}_roc": "ROC: sensitivity against false alarms, over all thresholds",
    "{split}_precision_recall": "Precision against recall, over all thresholds",
    "{split}_confusion": "Confusion matrix: truth by row, call by column",
    "{split}_reliability": "Reliability: how often a probability came true",
}
_WORST = 12
_NOT_MEASURED = {
    "scorecard.json": "The heatmaps were not scored: python -m xray.gradcam scorecard=true does.",
    "shortcuts.json": "Whether the network needs the lungs, or knows the class from a border or a "
    "corner, was not measured: python -m xray.shortcuts does.",
}


def headline(run: RunFiles) -> str:
    """Sum the result up in two sentences."""
    split = run.split
    if split is None:
        return "This run was not tested: it holds no metrics."
    entry = run.metrics[split]
    threshold = entry.get("threshold")
    positive = list(entry.get("classes") or ["the second class"])[-1]
    at = (
        f", called {positive} above a probability of {threshold:.3g}"
        if threshold is not None
        else ""
    )
    where = "test" if split == "test" else "validation (nothing was tested)"
    rates = ("Sensitivity", "specificity")
    if len(entry.get("classes") or ()) > BINARY:
        rates = (
            "Sensitivity, of each class against the rest and averaged,",
            "specificity likewise",
        )
    return (
        f"On {entry.get('n', '?')} {where} images of {entry.get('patients', '?')} patients{at}: "
        f"AUROC {estimate_cell(entry, 'auroc')}, accuracy {estimate_cell(entry, 'accuracy')}. "
        f"{rates[0]} {estimate_cell(entry, 'recall')}, "
        f"{rates[1]} {estimate_cell(entry, 'specificity')}."
    )


def results_section(run: RunFiles) -> Section:
    """Show metrics, operating points, calibration and figures."""
    split = run.split
    if split is None:
        reason = "There is no metrics.json: the run was not tested (test=false), or was cut off."
        return Section("Results", [Text(reason), *_figures(run, "test")])
    entry = run.metrics[split]
    both = {split: run.metrics[split] for split in ("test", "val") if run.metrics.get(split)}
    blocks = [metric_grid(both), *_classes(entry), *_labels(entry), *source_grid(entry)]
    blocks += decision_grids(entry)
    return Section("Results", [*blocks, *_figures(run, split)])


def _classes(entry: Mapping[str, Any]) -> Iterator[Grid]:
    classes: Mapping[str, Any] = entry.get("per_class") or {}
    if classes:
        names = list(next(iter(classes.values())))
        rows = [[k, *(estimate_cell(v, name) for name in names)] for k, v in classes.items()]
        yield Grid("By class, each against the rest", ["class", *names], rows)


def _labels(entry: Mapping[str, Any]) -> Iterator[Grid]:
    labels: Mapping[str, Any] = entry.get("per_label") or {}
    if labels:
        rows = [[k, str(v.get("n", "-")), estimate_cell(v, "recall")] for k, v in labels.items()]
        columns = ["folder", "images", "called rightly"]
        yield Grid("By the folder the images came from", columns, rows)


def _figures(run: RunFiles, split: str) -> Iterator[Block]:
    found = [
        _picture(run.directory, f"{layout.FIGURES}/{name.format(split=split)}.png", text, text)
        for name, text in _FIGURES.items()
    ]
    shown = [picture for picture in found if picture.path.is_file()]
    if shown:
        yield Pictures("Figures", shown)
    else:
        yield Text("The run holds no figures.")


def overlays_section(run: RunFiles) -> Section:
    """Show Grad-CAM overlays, COVID-positive ones first."""
    if not run.overlays:
        reason = "There are no overlays: draw some with python -m xray.gradcam on this run."
        return Section("Where the network looked", [Text(reason)])
    split, rows = next(iter(run.overlays.items()))
    text = (
        f"Each row: the image, a heatmap ({_methods(rows)}) of {_evidence(rows)}, and both "
        "together. It is coarse, and proves no cause. Heat outside the lungs is a warning."
    )
    first = sorted(rows, key=lambda row: not _is_covid(row.get("label", "")))
    pictures = [_overlay(run.directory, layout.gallery(split), row) for row in first]
    return Section("Where the network looked", [Text(text), Pictures("", pictures, wide=True)])


def _methods(rows: Sequence[Mapping[str, str]]) -> str:
    names = dict.fromkeys(row.get("method") or "gradcam" for row in rows)
    return ", ".join("Grad-CAM" if name == "gradcam" else name for name in names)


def _evidence(rows: Sequence[Mapping[str, str]]) -> str:
    called = all(row.get("explained") in ("", None, row.get("predicted")) for row in rows)
    return "what moved the network's answer" if called else "the evidence for the class named on it"


def errors_section(run: RunFiles) -> Section:
    """Show the surest mistakes."""
    title, split = "Worst errors", run.split or "test"
    predictions = run.predictions(split)
    if predictions is None:
        return Section(title, [Text("There are no predictions, and so no errors to show.")])
    worst = worst_failures(predictions, _WORST)
    if not worst:
        return Section(title, [Text(f"Every {split} image was called rightly.")])
    rows = [
        [
            Path(predictions.paths[i]).name,
            f"{predictions.classes[predictions.targets[i]]} ({predictions.labels[i]})",
            predictions.classes[predictions.predicted[i]],
            number_cell(float(predictions.probabilities[i, predictions.predicted[i]])),
        ]
        for i in worst
    ]
    columns = ["image", "truth (folder)", "called", "probability"]
    blocks: list[Block] = [Grid(f"The {len(worst)} surest mistakes on {split}", columns, rows)]
    return Section(title, [*blocks, *_mistakes(run, split, {predictions.paths[i] for i in worst})])


def _mistakes(run: RunFiles, split: str, wrong: Set[str]) -> Iterator[Block]:
    """Show overlays of mistakes; where there are none, the images."""
    # They may be of a checkpoint or a threshold of before.
    drawn = [row for row in run.failures.get(split, []) if row.get("path") in wrong]
    if drawn:
        items = [_overlay(run.directory, layout.failures(split), row) for row in drawn]
        yield Pictures("Where the network looked in these", items, wide=True)
        return
    yield Text(f"They have no overlays: python -m xray.gradcam split={split} draws them.")
    alt = f"Surest mistakes on {split}"
    figure = _picture(run.directory, f"{layout.FIGURES}/{split}_failures.png", alt, alt)
    if figure.path.is_file():
        yield Pictures("", [figure], wide=True)


def further_sections(run: RunFiles) -> Iterator[Section]:
    """Show results on other images, where there are any, and what was measured of the heatmaps."""
    grids: list[Block] = []
    for name, metrics in run.external.items():
        for split, entry in metrics.items():
            if isinstance(entry, Mapping):
                title = name.replace(layout.PRIOR_CORRECTED, ", corrected for other class shares")
                own = {"own test": found} if (found := run.metrics.get("test")) else {}
                note = f"{split} images" + (", beside the run's own test." if own else ".")
                grids.append(metric_grid({split: entry, **own}, title, note))
                grids.extend(source_grid(entry))
    if grids:
        yield Section("Further results", grids)
    tables = [grid for path, found in run.measured.items() for grid in measured_grids(path, found)]
    names = {path.name for path in run.measured}
    missing = [Text(text) for name, text in _NOT_MEASURED.items() if name not in names]
    yield Section("Heatmaps and shortcuts, measured", [*tables, *missing])


def limitations_section(run: RunFiles) -> Section:
    """Say what speaks against the result, and what to try next."""
    found = remarks(run.config, run.data, run.metrics, list(run.measured.values()))
    pairs = [(remark.limit, remark.advice) for remark in found]
    return Section("Limitations and what to try next", [Facts(pairs)])


def _overlay(directory: Path, folder: Path, row: Mapping[str, str]) -> Picture:
    name = Path(row.get("path", "")).name
    said = (
        f"{name}: truth {row.get('truth')} ({row.get('label')}), called {row.get('predicted')}, "
        f"p = {_probability(row.get('probability', ''))}"
    )
    alt = f"X-ray, heatmap and overlay of {name}"
    return _picture(directory, f"{folder.as_posix()}/{row.get('file', '')}", alt, said)


def _picture(directory: Path, link: str, alt: str, caption: str) -> Picture:
    return Picture(directory / link, link, alt, caption)


def _probability(text: str) -> str:
    return text[:5] or "-"


def _is_covid(label: str) -> bool:
    return label.casefold().replace(" ", "").startswith("covid")
