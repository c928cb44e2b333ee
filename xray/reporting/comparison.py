"""A comparison on the terminal and in files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xray.evaluation.compare import COMPARED, TESTS
from xray.files import write_csv, write_json
from xray.reporting.cells import estimate_text

SHOWN = ("auroc", "accuracy", "recall", "specificity", "f1")
_ENDS = (("", "value"), ("_low", "low"), ("_high", "high"))


MOST_UNPAIRED = 3
"""Lines on the terminal that say why two runs are no pair."""


def write_comparison(
    directory: Path,
    comparison: Mapping[str, Any],
    console: Console,
    *,
    best_first: bool = False,
) -> None:
    """Write compare.json, compare.csv (a row a run) and pairs.csv, and show their tables.

    Args:
        directory: Where they go.
        comparison: What `xray.evaluation.compare.compare` gives.
        console: Where the tables go.
        best_first: Whether the first run is the best, and only pairs with it are shown; the files
            hold all.
    """
    write_json(directory / "compare.json", dict(comparison))
    write_csv(directory / "compare.csv", [_run_row(run) for run in comparison["runs"]])
    write_csv(directory / "pairs.csv", [_pair_row(pair) for pair in comparison["pairs"]])
    best = comparison["runs"][0]["name"] if best_first else None
    for table in comparison_tables(comparison, best):
        console.print(table)
    for said in (*_not_paired(comparison, best), f"comparison: {directory}"):
        console.print(said, soft_wrap=True, markup=False, highlight=False)


def comparison_tables(comparison: Mapping[str, Any], best: str | None = None) -> Iterator[Table]:
    """Lay out runs, pairs and repeats; a table without a row is left out.

    Args:
        comparison: What `xray.evaluation.compare.compare` gives.
        best: The run whose pairs alone are shown; None: all are.
    """
    runs = [
        [run["name"], f"{run['n']:,}", run["verdict"], *_estimates(run["metrics"], SHOWN)]
        for run in comparison["runs"]
    ]
    yield _table("Runs on their test images", ["run", "images", "split", *SHOWN], runs)
    pairs = [
        [f"{pair['a']} - {pair['b']}", *_estimates(pair, COMPARED), *_tests(pair)]
        for pair in comparison["pairs"]
        if best in (None, pair["a"], pair["b"])
    ]
    if pairs:
        columns = ["difference", *COMPARED, *(f"{test} p (Holm)" for test in TESTS)]
        clustered = any(run["patients"] < run["n"] for run in comparison["runs"])
        notes = []
        if clustered:
            notes.append("the tests take images for independent: rely on the intervals")
        if len(pairs) < len(comparison["pairs"]):
            all_pairs = len(comparison["pairs"])
            notes.append(f"with the best, {best}, of {all_pairs} pairs; pairs.csv holds all")
        yield _table("Pairs on the same images", columns, pairs, "\n".join(notes) or None)
    rows = [
        [", ".join(group["runs"]), *_spreads(group["metrics"])] for group in comparison["repeats"]
    ]
    if rows:
        title = "Runs that differ in seed or fold only: mean ± standard deviation"
        yield _table(title, ["runs", *SHOWN], rows)


def _not_paired(comparison: Mapping[str, Any], best: str | None) -> Iterator[str]:
    unpaired = [p for p in comparison["unpaired"] if best in (None, p["a"], p["b"])]
    for pair in unpaired[:MOST_UNPAIRED]:
        yield f"not paired: {pair['a']} and {pair['b']}: {pair['why']}"
    if len(unpaired) > MOST_UNPAIRED:
        yield f"not paired: {len(unpaired) - MOST_UNPAIRED} more, see compare.json"


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str | None = None
) -> Table:
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    first, *others = columns
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _estimates(metrics: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return [estimate_text(metrics.get(name, {})) for name in names]


def _tests(pair: Mapping[str, Any]) -> list[str]:
    return [
        "-" if pair[test]["p"] is None else f"{pair[test]['p']:.3g} ({pair[test]['holm']:.3g})"
        for test in TESTS
    ]


def _spreads(metrics: Mapping[str, Any]) -> list[str]:
    found = [metrics.get(name) for name in SHOWN]
    return [f"{each['mean']:.3f} ± {each['sd']:.3f}" if each else "-" for each in found]


def _run_row(run: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {key: value for key, value in run.items() if key != "metrics"}
    return fixed | _columns(run["metrics"])


def _pair_row(pair: Mapping[str, Any]) -> dict[str, Any]:
    tests = {f"{test}_{key}": pair[test][key] for test in TESTS for key in ("p", "holm")}
    names = {"a": pair["a"], "b": pair["b"]}
    return names | _columns({name: pair[name] for name in COMPARED}) | tests


def _columns(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{name}{end}": found[key] for name, found in metrics.items() for end, key in _ENDS}
