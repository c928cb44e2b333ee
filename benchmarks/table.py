"""Tables of a benchmark in the documentation."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
Row = Mapping[str, Any]

_NOTES = (
    "Times are of complete processes, from start-up to the last checkpoint, unless stated "
    "otherwise. AUROC: on the validation images after the last epoch, with the best epoch in "
    "brackets. Memory: peak resident set of the largest process. All use AdamW, the same images, "
    "the same kinds of augmentation, a hidden layer of 256 and dropout of 0.5. The plain loops "
    "flatten the maps; xray's head pools and normalizes them (`model.head.norm=batch`) unless "
    "stated otherwise, and its loss is weighted by class."
)


def markdown(result: Mapping[str, Any]) -> str:
    """Return the results as Markdown.

    Args:
        result: Content of the JSON file: "machine", "versions", "setting", "measured" (family ->
            date) and "rows" (family -> rows).
    """
    rows = result["rows"]
    trainings = [row for name in ("head", "lightning", "block5") for row in rows.get(name, ())]
    parts = [
        _heading(result),
        _trainings(trainings),
        *map(_sweep, rows.get("sweep", ())),
        *map(_gradcam, rows.get("gradcam", ())),
        _costs(rows.get("costs", ()), result["setting"]),
        _limits(rows.get("limits", ())),
        _gpu(rows.get("gpu", ())),
    ]
    return "\n\n".join(part for part in parts if part)


def insert(path: Path, table: str) -> bool:
    """Write the table between the markers of a file; return whether the file has them."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        return False
    path.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
    return True


def _heading(result: Mapping[str, Any]) -> str:
    s = result["setting"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    date = max(result["measured"].values(), default="no measurements")
    times = "once" if s["pairs"] == 1 else f"{s['pairs']} times, medians"
    return (
        f"{result['machine']}; {s['threads']} threads; {versions}; {date}. {s['n']} training and "
        f"{s['m']} validation images ({s['data']}), {s['size']} px, {s['epochs']} epochs, batches "
        f"of {s['batch']}, {s['weights']} weights; each training {times}."
    )


def _trainings(rows: list[Row]) -> str:
    if not rows:
        return ""
    heads = ("training", "compared with", "baseline, s", "xray, s", "speed-up")
    lines = [
        (
            row["name"],
            row["against"],
            f"{row['base_seconds']:.1f}",
            f"{row['seconds']:.1f}",
            f"**{row['ratio']:.1f}**",
            f"{_score(row, 'base_')} / {_score(row, '')}",
            f"{_gb(row['base_peak'])} / {_gb(row['peak'])}",
        )
        for row in rows
    ]
    table = _table((*heads, "AUROC, baseline / xray", "GB, baseline / xray"), lines, left=2)
    return f"{table}\n\n{_NOTES}"


def _score(row: Row, prefix: str) -> str:
    last, best = row[f"{prefix}auroc"], row[f"{prefix}best_auroc"]
    return "-" if last is None else f"{last:.3f} ({best:.3f})"


def _sweep(row: Row) -> str:
    return (
        f"{row['name']}: {row['seconds']:.1f} s, {row['multiple']:.1f} times the time of "
        f"{row['against']} ({row['base_seconds']:.1f} s); "
        f"{_gb(row['peak'])} GB compared with {_gb(row['base_peak'])} GB."
    )


def _gradcam(row: Row) -> str:
    return (
        f"{row['name']}: {row['seconds']:.2f} s, {row['ratio']:.1f} times as fast as "
        f"{row['against']} ({row['base_seconds']:.2f} s); the maps, from 0 to 1, differ by "
        f"{row['difference']:.0e} at most."
    )


def _costs(rows: list[Row], setting: Mapping[str, Any]) -> str:
    if not rows:
        return ""
    heads = ["trained"]
    for how in ("cache", "pixels"):
        heads += [f"{how}: s per epoch", "GFLOP per image", "GB"]
    number: Mapping[str, Callable[[float], str]] = {
        "seconds": "{:.2f}".format,
        "gflop": "{:.3g}".format,
        "peak": _gb,
    }
    lines = [
        [row["name"]]
        + [
            show(row[how][key]) if how in row else "-"
            for how in ("cache", "pixels")
            for key, show in number.items()
        ]
        for row in rows
    ]
    return (
        f"One epoch of xray with {setting['small_n']} training and {setting['small_m']} validation "
        f"images, from the cache and from pixels. Operations for a training image in the forward "
        f"pass and in the backward pass through trained layers:\n\n{_table(heads, lines)}"
    )


def _limits(rows: list[Row]) -> str:
    return "Limits: " + _listed(rows, "value") + "." if rows else ""


def _listed(rows: list[Row], key: str) -> str:
    return "; ".join(f"{row['name']} {_short(row[key])} {row['unit']}" for row in rows)


def _gpu(rows: list[Row]) -> str:
    if not rows:
        return ""
    lines = [
        (
            row["name"],
            f"{row['speed']:.0f}",
            f"{row['share']:.0f} % of a {row['against']} ({row['base_speed']:.0f})"
            if "share" in row
            else "-",
        )
        for row in rows
    ]
    return _table(("bf16 training", "images/s", "compared with"), lines)


def _table(heads: Any, lines: Any, left: int = 1) -> str:
    rule = ["---"] * left + ["--:"] * (len(heads) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *lines))


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f}"


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"  # noqa: PLR2004
