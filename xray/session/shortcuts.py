"""Test a finished run on images with hidden parts."""

from typing import Any

from rich.console import Console

from xray.data.dataset import SplitDataset
from xray.evaluation import testing
from xray.evaluation.shortcuts import AS_IS, conclude, shortcut_rows
from xray.evaluation.thresholds import decide
from xray.reporting.html import write_report
from xray.reporting.terminal import write_rows
from xray.runs import layout
from xray.saliency.masks import read_mask
from xray.saliency.occlusion import BOX, OCCLUSIONS, OccludedDataset
from xray.session.session import Session
from xray.types import Split


def find_shortcuts(
    session: Session, split: Split, console: Console, *, batch_size: int = 32
) -> list[dict[str, Any]]:
    """Predict a split with borders, corners or lungs hidden; write shortcuts.json and the report.

    Args:
        session: The run.
        split: The split.
        console: The terminal.
        batch_size: Images per batch.

    Returns:
        The rows of the table, see `xray.evaluation.shortcuts.shortcut_rows`.
    """
    rule, run = session.rule, session.path
    val = testing.read_val(run, rule)
    dataset = session.dataset(split)
    masks = sum(read_mask(s, dataset.root, "lung") is not None for s in dataset.samples)
    images = {AS_IS: dataset, **_occluded(dataset, masked=masks == len(dataset))}
    predictions = {
        name: decide(session.predict(occluded, batch_size=batch_size), rule, val)
        for name, occluded in images.items()
    }
    rows = shortcut_rows(predictions)
    conclusion = conclude(rows)
    note = f"{conclusion} {_note(masks, len(dataset))}"
    write_rows(run / layout.SHORTCUTS, f"Shortcuts, {split}", note, rows, console)
    console.print(conclusion, soft_wrap=True, markup=False, highlight=False)
    console.print(f"report: {write_report(run)}", soft_wrap=True)
    return rows


def _occluded(dataset: SplitDataset, *, masked: bool) -> dict[str, SplitDataset]:
    return {
        name: OccludedDataset(dataset, occlude, masked=masked)
        for name, occlude in OCCLUSIONS.items()
        # Without masks, the silhouette is the same box in every image.
        if masked or name != "silhouette"
    }


def _note(masks: int, images: int) -> str:
    lungs = (
        "masks next to the images"
        if masks == images
        else f"masks of {masks} of {images} images: a box {BOX}"
    )
    return (
        "Hidden parts are filled with the mean gray value of the visible part; the outline of the "
        f"lungs stays visible. Lungs: {lungs}. 95 % intervals: bootstrap over patients."
    )
