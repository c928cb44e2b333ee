"""Tables of a report on heatmaps: their scorecard, and the shortcut audit."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xray.reporting.cells import count_text, estimate_text, scalar_text
from xray.reporting.page import Grid
from xray.reporting.terminal import row_cell

_GROUPS = {
    "lesion": (
        "localization of lesions",
        "Pointing game: share of images whose hottest pixel lies in the lesion. Energy: share of "
        "the heat inside the lesion. IoU: overlap of the hot region and the lesion, divided by "
        "their union. Higher is better. Heatmaps are only informative if they score higher than "
        "the baselines.",
    ),
    "lung": (
        "heat inside the lungs",
        "Share of the heat inside the lungs. Higher is better.",
    ),
    "faithfulness": (
        "faithfulness (ROAD, deletion, insertion)",
        "Change of the probability of the predicted class while pixels are removed or revealed, "
        "most relevant pixels first. ROAD: drop if the most relevant pixels are removed, compared "
        "with the least relevant ones. Deletion: mean probability while pixels are replaced by "
        "gray. Insertion: mean probability while a blurred image is revealed.",
    ),
    "weights": (
        "sanity check with randomized weights",
        "A rank correlation near 1 means that the heatmaps do not depend on the trained weights "
        "and explain nothing. The maximum is measured before each map is rescaled to [0, 1].",
    ),
}
_NAMES = {
    "map": "Heatmap",
    "images": "Images",
    "measure": "Metric",
    "value": "Value",
    "n": "Number of images",
    "difference": "Difference from unchanged images",
    # Names in runs of version 0.1.0.
    "centre prior": "center prior",
    "randomised weights": "randomized weights",
    "as they are": "unchanged",
    "centre only": "center only",
    "rank correlation with randomised weights": "rank correlation with randomized weights",
    "greatest value before rescaling, in thousandths": "maximum before rescaling, in thousandths",
}
"""Standard names of columns, maps and measures."""
_TITLES = (("Scorecard of gradcam", "Grad-CAM scorecard"), ("Shortcuts,", "Shortcut audit,"))


def explanation_grids(path: Path, content: Mapping[str, Any]) -> Iterator[Grid]:
    """Yield the tables of a scorecard.json or a shortcuts.json; none if the file is damaged.

    Rows with a "group", a "measure" and a "map" become one table per group, with one row per
    measure and one column per map. Other rows become one table with their keys as columns.

    Args:
        path: The file.
        content: {"title", "note", "rows"}.
    """
    title = scalar_text(content.get("title"), f"{path.stem}: {path.parent.name}")
    for old, new in _TITLES:
        title = title.replace(old, new)
    note = scorecard_note(content)
    rows = content.get("rows")
    if not isinstance(rows, list) or not rows or not all(isinstance(r, Mapping) for r in rows):
        return
    if not all({"group", "measure", "map"} <= row.keys() for row in rows):
        yield _flat(title, rows, note)
        return
    groups = list(dict.fromkeys(str(row["group"]) for row in rows))
    for group in groups:
        name, meaning = _GROUPS.get(group, (group, ""))
        members = [row for row in rows if str(row["group"]) == group]
        # The note holds for all tables and is written once, below the last.
        below = f"{meaning} {note}" if group == groups[-1] else meaning
        yield _by_map(f"{title}: {name}", members, below.strip())


def standard_name(name: str) -> str:
    """Return the standard name of a column, map or measure of a scorecard or shortcut audit."""
    return _NAMES.get(name, name)


def scorecard_note(content: Mapping[str, Any]) -> str:
    """Return the note of a scorecard; it states which measurements were skipped."""
    return scalar_text(content.get("note"), "", length=2000)


def _by_map(title: str, rows: Sequence[Mapping[str, Any]], note: str) -> Grid:
    maps = list(dict.fromkeys(str(row["map"]) for row in rows))
    found = {(str(row["measure"]), str(row["map"])): row for row in rows}
    cells = [
        [
            standard_name(measure),
            *(estimate_text(found.get((measure, name), {})) for name in maps),
            count_text(max(row.get("n", 0) for row in rows if str(row["measure"]) == measure)),
        ]
        for measure in dict.fromkeys(measure for measure, _ in found)
    ]
    headings = [standard_name(name) for name in maps]
    return Grid(title, ["Metric", *headings, "Images"], cells, note)


def _flat(title: str, rows: Sequence[Mapping[str, Any]], note: str) -> Grid:
    names = dict.fromkeys(str(name) for row in rows for name in row)
    shown = [name for name in names if not name.endswith(("low", "high"))]
    cells = [[standard_name(row_cell(row, name)) for name in shown] for row in rows]
    return Grid(title, [standard_name(name) for name in shown], cells, note)
