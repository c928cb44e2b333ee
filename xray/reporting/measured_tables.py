"""Tables of what was measured of heatmaps, and of images with parts hidden."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xray.reporting.cells import estimate_text
from xray.reporting.page import Grid

_GROUPS = {
    "lesion": (
        "do the maps find the lesions?",
        "Pointing game: how often the hottest point lies in the lesion. Energy: the share of the "
        "heat inside. IoU: overlap of the hot part with the lesion, over both together. More is "
        "better, and a map is worth something only if it beats its controls.",
    ),
    "lung": (
        "is the heat in the lungs?",
        "The share of the heat inside the lungs. More is better.",
    ),
    "faithfulness": (
        "does the answer hang on what the maps show?",
        "The probability of the class called, as pixels go or come, those first that a map shows "
        "as most relevant. ROAD: half of how much more is lost than when the least relevant go. "
        "Deletion and insertion: the mean probability on the way to plain grey, and from a blurred "
        "image to the whole one.",
    ),
    "weights": (
        "do the maps depend on what was learnt?",
        "A rank correlation near 1 says that the network shows the same where all that was trained "
        "is drawn anew: then the maps explain nothing. The greatest value is that of the map "
        "before it was rescaled to [0, 1], in units of the method.",
    ),
}
_PAIRS = {"value": ("low", "high"), "difference": ("difference_low", "difference_high")}


def measured_grids(path: Path, content: Mapping[str, Any]) -> Iterator[Grid]:
    """Lay out a scorecard.json or a shortcuts.json.

    Args:
        path: The file.
        content: {"title", "note", "rows"}: rows with a "group", a "measure" and a "map" become a
            table a group, a row a measure and a column a map; others one table as they are. What is
            missing or damaged gives none.
    """
    title = str(content.get("title", f"{path.stem}: {path.parent.name}"))
    note = str(content.get("note", ""))
    rows = content.get("rows")
    if not isinstance(rows, list) or not rows or not all(isinstance(r, Mapping) for r in rows):
        return
    if not all({"group", "measure", "map"} <= row.keys() for row in rows):
        yield _as_they_are(title, rows, note)
        return
    groups = list(dict.fromkeys(str(row["group"]) for row in rows))
    for group in groups:
        asked, meaning = _GROUPS.get(group, (group, ""))
        own = [row for row in rows if str(row["group"]) == group]
        # What holds of all tables is said once, below the last.
        said = f"{meaning} {note}" if group == groups[-1] else meaning
        yield _by_map(f"{title}: {asked}", own, said.strip())


def _by_map(title: str, rows: Sequence[Mapping[str, Any]], note: str) -> Grid:
    maps = list(dict.fromkeys(str(row["map"]) for row in rows))
    found = {(str(row["measure"]), str(row["map"])): row for row in rows}
    cells = [
        [
            measure,
            *(estimate_text(found.get((measure, name), {})) for name in maps),
            str(max(row.get("n", 0) for row in rows if str(row["measure"]) == measure)),
        ]
        for measure in dict.fromkeys(measure for measure, _ in found)
    ]
    return Grid(title, ["", *maps, "images"], cells, note)


def _as_they_are(title: str, rows: Sequence[Mapping[str, Any]], note: str) -> Grid:
    names = dict.fromkeys(str(name) for row in rows for name in row)
    columns = [name for name in names if not name.endswith(("low", "high"))]
    return Grid(title, columns, [[_cell(row, name) for name in columns] for row in rows], note)


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if name in _PAIRS:
        low, high = (row.get(end) for end in _PAIRS[name])
        return estimate_text({"value": value, "low": low, "high": high})
    if isinstance(value, Mapping):
        return estimate_text(value)
    return estimate_text({"value": value}) if isinstance(value, float | None) else str(value)
