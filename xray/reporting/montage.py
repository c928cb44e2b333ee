"""Montages of a dataset: random images of each class, and duplicates side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xray.data.audit import Audit
from xray.imaging.read import read_image
from xray.reporting import style

_SHOWN = 24
_COLUMNS = 8
_PAIRS = 8
_NAME_LENGTH = 34
# The most serious kind first.
_PAIR_KINDS = ("contradiction", "near_duplicate", "exact_duplicate")


def write_montages(run: Path, audit: Audit) -> None:
    """Write montages/class_<name>.png and montages/duplicates.png into a run directory."""
    figures = {f"class_{name}": class_montage(audit, i) for i, name in enumerate(audit.classes)}
    figures["duplicates"] = pair_montage(audit)
    for name, figure in figures.items():
        if figure:
            style.save(figure, run / "montages" / f"{name}.png")


def class_montage(audit: Audit, target: int, seed: int = 0) -> Figure | None:
    """Draw random images of a class, or return None if it has no readable images.

    Args:
        audit: The audit of a dataset.
        target: The index of the class.
        seed: The seed of the random choice.
    """
    samples = audit.collection.samples
    of_class = [i for i in audit.screening.index.usable().tolist() if samples[i].target == target]
    if not of_class:
        return None
    count = min(_SHOWN, len(of_class))
    chosen = sorted(np.random.default_rng(seed).choice(of_class, count, replace=False).tolist())
    rows = -(-count // _COLUMNS)
    columns = min(_COLUMNS, count)
    figure = style.new_figure(1.6 * columns, 1.6 * rows + 0.5)
    _title(
        figure, f"{audit.classes[target]}: {count} of {len(of_class):,} images, chosen at random"
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, i in zip(grid, chosen, strict=False):
        _show(axes, samples[i].path)
    return figure


def pair_montage(audit: Audit) -> Figure | None:
    """Draw duplicates side by side, contradictions and leaks first, or return None."""
    pairs = [finding for finding in audit.findings if finding.kind in _PAIR_KINDS]
    if not pairs:
        return None
    pairs.sort(key=lambda finding: (_PAIR_KINDS.index(finding.kind), not finding.crosses))
    shown = pairs[:_PAIRS]
    figure = style.new_figure(5.6, 2.9 * len(shown) + 0.5)
    _title(figure, f"{len(shown)} of {len(pairs):,} duplicates")
    grid = figure.subplots(len(shown), 2, squeeze=False)
    for (left, right), finding in zip(grid, shown, strict=True):
        for axes, name, split in (
            (left, finding.path, finding.split),
            (right, finding.other, finding.other_split),
        ):
            axes.set_axis_off()
            _show(axes, audit.collection.root / name)
            _caption(axes, [f"{split}: {style.shortened(Path(name).name, _NAME_LENGTH)}"])
        _caption(
            left,
            [f"{finding.kind.replace('_', ' ')}: {finding.detail}", left.get_title(loc="left")],
        )
    return figure


def _title(figure: Figure, text: str) -> None:
    figure.suptitle(text, fontsize=style.TITLE, color=style.INK, x=0.01, ha="left")


def _show(axes: Axes, path: Path) -> None:
    axes.imshow(read_image(path), cmap="gray", vmin=0, vmax=255)


def _caption(axes: Axes, lines: Sequence[str]) -> None:
    text = "\n".join(lines)
    axes.set_title(text, fontsize=style.TICK - 2, color=style.INK, loc="left", parse_math=False)
