import json
from dataclasses import replace

import numpy as np
import pytest
from made_runs import made, make_run
from rich.console import Console

from xray.evaluation.summary import summarize, summarize_sources
from xray.reporting.html import write_report
from xray.reporting.metric_tables import source_grid
from xray.reporting.terminal import source_table
from xray.runs.finished import read_runs


def merged(sources):
    """Return eight images: TP, FN, TN, FP, then four with pneumonia, three of them detected."""
    positive = np.array([0.9, 0.2, 0.1, 0.7, 0.6, 0.8, 0.9, 0.3])
    return replace(
        made(8),
        targets=np.array([1, 1, 0, 0, 1, 1, 1, 1]),
        probabilities=np.stack([1 - positive, positive], axis=1),
        sources=sources,
    )


def test_sources_exact_values():
    found = summarize_sources(merged(["a"] * 4 + ["b"] * 3 + [""]))
    assert list(found) == ["a", "b", "unknown"]
    a, b, rest = found.values()
    assert (a["n"], a["patients"]) == (4, 4)
    assert a["classes"] == {"normal": 2, "pneumonia": 2}
    assert [a[name]["value"] for name in ("accuracy", "recall", "specificity")] == [0.5] * 3
    # 0.9 is above both normal images, 0.2 above one.
    assert a["auroc"]["value"] == 0.75
    assert a["accuracy"]["low"] < 0.5 < a["accuracy"]["high"]
    assert b["recall"]["value"] == 1.0
    # Wilson's interval for three of three.
    assert b["recall"]["low"] == pytest.approx(3 / (3 + 1.959964**2))
    for name in ("specificity", "auroc"):
        assert b[name] == {"value": None, "low": None, "high": None}
    assert rest["recall"] == {"value": 0.0, "low": None, "high": None}
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("sources", [(), ["a"] * 8, [""] * 8])
def test_one_source_has_no_entry(sources):
    assert summarize_sources(merged(sources)) == {}
    summary = summarize(merged(sources))
    assert "per_source" not in summary
    assert list(source_grid(summary)) == []


def test_a_source_without_one_of_three_classes():
    predictions = made(30, k=3)
    sources = ["lacks" if target < 2 else "whole" for target in predictions.targets]
    sources[:6] = ["whole"] * 6
    found = summarize_sources(replace(predictions, sources=sources))["lacks"]
    assert found["classes"]["covid"] == 0
    assert found["accuracy"]["value"] is not None
    assert found["auroc"]["value"] is None


def test_sources_stay_with_their_images_after_sorting(tmp_path):
    predictions = replace(made(12), sources=[f"s{i}" for i in range(12)])
    (run,) = read_runs([make_run(tmp_path / "0", predictions)])
    places = [int(path.partition(".")[0]) for path in run.predictions.paths]
    assert places != sorted(places)
    assert run.predictions.sources == [f"s{i}" for i in places]


def test_report_and_terminal_show_sources(tmp_path):
    entry = summarize(merged(["a"] * 4 + ["b <i>"] * 4))
    run = make_run(tmp_path / "run", made(8), config={"seed": 0})
    (run / "metrics.json").write_text(json.dumps({"test": entry}))
    page = write_report(run).read_text()
    assert "Results by source dataset" in page
    assert "b &lt;i&gt;" in page
    assert "images of one class only" not in page
    console = Console(width=120)
    with console.capture() as shown:
        console.print(source_table(entry["per_source"], "test"))
    assert "Results by source, test" in shown.get()
    row = next(line for line in shown.get().splitlines() if "b <i>" in line)
    # Four images, three of them detected; no normal image.
    assert "0.750 [" in row
    assert row.count("-") == 2


def test_warning_for_sources_with_one_class_each():
    predictions = merged([])
    sources = ["clinic" if target else "school" for target in predictions.targets]
    (grid,) = source_grid(summarize(replace(predictions, sources=sources)))
    assert "images of one class only" in grid.note
    assert [row[0] for row in grid.rows] == ["clinic", "school"]
    assert grid.rows[0][-1] == "-"
