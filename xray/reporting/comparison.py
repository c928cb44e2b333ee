"""Write the comparison of runs to files, and show it on the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xray.evaluation.compare import COMPARED, TESTS
from xray.files import write_csv, write_json
from xray.reporting.cells import UNDEFINED, estimate_text
from xray.reporting.metric_names import metric_name
from xray.reporting.terminal import INTERVALS

SHOWN = ("auroc", "accuracy", "recall", "specificity", "f1")
_ENDS = (("", "value"), ("_low", "low"), ("_high", "high"))
_TEST_NAMES = {"delong": "DeLong", "mcnemar": "McNemar"}
MAX_UNPAIRED = 3
"""The terminal explains at most this many pairs of runs that cannot be compared."""


def write_comparison(
    directory: Path,
    comparison: Mapping[str, Any],
    console: Console,
    *,
    best_first: bool = False,
) -> None:
    """Write compare.json, compare.csv (one row per run) and pairs.csv, and show their tables.

    Args:
        directory: The folder that receives the files.
        comparison: The result of `xray.evaluation.compare.compare`.
        console: The terminal that shows the tables.
        best_first: True if the first run is the best one; then only the pairs with it are shown.
            The files contain all pairs.
    """
    write_json(directory / "compare.json", dict(comparison))
    write_csv(directory / "compare.csv", [_run_row(run) for run in comparison["runs"]])
    write_csv(directory / "pairs.csv", [_pair_row(pair) for pair in comparison["pairs"]])
    best = comparison["runs"][0]["name"] if best_first else None
    for table in comparison_tables(comparison, best):
        console.print(table)
    for line in (*_not_paired(comparison, best), f"comparison: {directory}"):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def comparison_tables(comparison: Mapping[str, Any], best: str | None = None) -> Iterator[Table]:
    """Yield the tables of runs, pairs and repeated runs; empty tables are left out.

    Args:
        comparison: The result of `xray.evaluation.compare.compare`.
        best: If given, only the pairs with this run are shown.
    """
    runs = [
        [run["name"], f"{run['n']:,}", run["verdict"], *_estimates(run["metrics"], SHOWN)]
        for run in comparison["runs"]
    ]
    columns = ["run", "images", "split verdict", *map(metric_name, SHOWN)]
    yield _table("Test results of the runs", columns, runs, INTERVALS)
    pairs = [
        [f"{pair['a']} - {pair['b']}", *_estimates(pair, COMPARED), *_tests(pair)]
        for pair in comparison["pairs"]
        if best in (None, pair["a"], pair["b"])
    ]
    if pairs:
        tests = (f"{_TEST_NAMES.get(test, test)} p (Holm)" for test in TESTS)
        columns = ["difference", *map(metric_name, COMPARED), *tests]
        notes = "\n".join(_pair_notes(comparison, best, len(pairs)))
        yield _table("Differences on the same test images", columns, pairs, notes or None)
    rows = [
        [", ".join(group["runs"]), *_spreads(group["metrics"])] for group in comparison["repeats"]
    ]
    if rows:
        title = "Runs that differ only in seed or fold: mean ± standard deviation"
        yield _table(title, ["runs", *map(metric_name, SHOWN)], rows)


def _pair_notes(comparison: Mapping[str, Any], best: str | None, shown: int) -> Iterator[str]:
    if any(run["patients"] < run["n"] for run in comparison["runs"]):
        yield (
            "The p-values assume independent images, but some patients have several. Use the "
            "confidence intervals instead."
        )
    if shown < len(comparison["pairs"]):
        total = len(comparison["pairs"])
        yield f"{shown} of {total} pairs are shown: those with the best run, {best}. See pairs.csv."


def _not_paired(comparison: Mapping[str, Any], best: str | None) -> Iterator[str]:
    unpaired = [p for p in comparison["unpaired"] if best in (None, p["a"], p["b"])]
    for pair in unpaired[:MAX_UNPAIRED]:
        yield f"not compared: {pair['a']} and {pair['b']}: {pair['why']}"
    if len(unpaired) > MAX_UNPAIRED:
        yield f"not compared: {len(unpaired) - MAX_UNPAIRED} more pairs, see compare.json"


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
        UNDEFINED
        if pair[test]["p"] is None
        else f"{pair[test]['p']:.3g} ({pair[test]['holm']:.3g})"
        for test in TESTS
    ]


def _spreads(metrics: Mapping[str, Any]) -> list[str]:
    found = [metrics.get(name) for name in SHOWN]
    return [f"{each['mean']:.3f} ± {each['sd']:.3f}" if each else UNDEFINED for each in found]


def _run_row(run: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {key: value for key, value in run.items() if key != "metrics"}
    return fixed | _columns(run["metrics"])


def _pair_row(pair: Mapping[str, Any]) -> dict[str, Any]:
    tests = {f"{test}_{key}": pair[test][key] for test in TESTS for key in ("p", "holm")}
    names = {"a": pair["a"], "b": pair["b"]}
    return names | _columns({name: pair[name] for name in COMPARED}) | tests


def _columns(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{name}{end}": found[key] for name, found in metrics.items() for end, key in _ENDS}
