"""The table of a bench, and its place in the README."""

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def markdown(result: dict[str, Any]) -> str:
    """Write what is measured so far as Markdown.

    Args:
        result: "machine", "setting" and "rows" (family -> rows), as the JSON file has it.
    """
    lines = [f"{result['machine']}; {result['setting']}", ""]
    lines += ["| row | plain, s | xray, s | ratio | AUROC plain, xray |", "|---|--:|--:|--:|--:|"]
    rows = [row for family in result["rows"].values() for row in family]
    for row in rows:
        if "ratio" in row:
            scores = ", ".join(_score(row[key]) for key in ("base_auroc", "auroc"))
            lines.append(
                f"| {row['name']} | {row['base_seconds']:.1f} | {row['seconds']:.1f} "
                f"| {row['ratio']:.1f} | {scores} |"
            )
    limits = [f"{r['name']} {r['value']:.0f} {r['unit']}" for r in rows if "unit" in r]
    return "\n".join([*lines, *(["", f"Limits: {', '.join(limits)}."] if limits else [])])


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def insert(path: Path, table: str) -> bool:
    """Put the table between the markers of a file; tells whether it has them."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        return False
    path.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
    return True
