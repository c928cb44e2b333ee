"""A report is complete, self-contained and small, whatever a run directory contains."""

import csv
import io
import json
import re
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from made_runs import CONFIG, made, make_run
from PIL import Image
from rich.console import Console

from xray import report
from xray.evaluation.shortcuts import EXPOSED
from xray.evaluation.summary import summarize
from xray.reporting.failures import confident_errors
from xray.reporting.html import literal, make_page, term, write_report
from xray.reporting.metric_names import METRICS
from xray.reporting.result_sections import MAX_PICTURES
from xray.reporting.results import write_results
from xray.runs.reading import read_json
from xray.runs.run import read_run

FIXTURE = Path(__file__).parents[1] / "fixtures" / "run_v0_1" / "outputs" / "train" / "run"
BAD = "<b>&\"'|x.png"
COLUMNS = ["file", "path", "label", "truth", "predicted", "probability"]


def a_run(directory, overlays=2, k=2):
    """Write a run directory with hostile names, two figures and a gallery."""
    predictions = made(40, k=k)
    predictions.paths[:] = [f"/data/{i}{BAD}" for i in range(40)]
    config = CONFIG | {"model": {"backbone": "vgg16", "weights": "random"}}
    config |= {"trainer": {"max_epochs": 9}, "monitor": {"metric": "val/auroc", "mode": "max"}}
    config |= {"callbacks": {"early_stopping": {"patience": 5}}}
    run = make_run(directory, predictions, config=config)
    (run / "metrics.json").write_text(json.dumps({"test": summarize(predictions)}))
    data = {
        "root": "<script>alert(1)</script>",
        "classes": ["normal", "pneumonia"],
        "groups": {"normal": ["healthy"]},
        "splits": {"test": {"images": 1234, "patients": 30, "labels": {"covid": 7}}},
        "audit": {
            "verdict": "clean",
            "dropped": {"train": 7},
            "findings": {"near_duplicate": {"within": 3, "across": 5}},
        },
    }
    (run / "data.json").write_text(json.dumps(data))
    environment = {
        "started": "2026",
        "git": {"commit": "abc", "dirty": True},
        "command": ["a b"],
    }
    (run / "environment.json").write_text(json.dumps(environment))
    (run / "metrics.csv").write_text("epoch,val/auroc\n0,0.5\n3,0.6\n4,\n,\n")
    noise = np.random.default_rng(0).integers(0, 255, (90, 420, 3), dtype=np.uint8)
    (run / "figures").mkdir()
    Image.fromarray(noise).save(run / "figures" / "test_roc.png")
    Image.fromarray(noise).save(run / "figures" / "test_failures.png")
    labels = ["normal"] * (overlays - 1) + ["COVID-19"]
    rows = [
        [f"{i}.png", f"/data/{i}{BAD}", label, "normal", "normal", "0.51234"]
        for i, label in enumerate(labels)
    ]
    write_gallery(run / "gradcam" / "test", rows, Image.fromarray(noise))
    return run


def write_gallery(folder, rows, picture=None):
    folder.mkdir(parents=True)
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([COLUMNS, *rows])
    for name, *_ in rows:
        if picture is not None:
            picture.save(folder / name)


def html(run):
    return write_report(run).read_text(encoding="utf-8")


def titles(page):
    return [section.title for section in (*page.sections, *page.details)]


def blocks(page, title):
    return next(s for s in (*page.sections, *page.details) if s.title == title).blocks


def test_report_contains_every_part_and_needs_no_other_file(tmp_path):
    run = a_run(tmp_path / "run")
    (run / "gradcam" / "test" / "scorecard.json").write_text(
        json.dumps({"rows": [{"method": "layercam", "value": 0.12345}, {"method": "b"}]})
    )
    (run / "external" / "clinic").mkdir(parents=True)
    (run / "external" / "clinic" / "metrics.json").write_text((run / "metrics.json").read_text())
    text = html(run)
    for words in ("40 images", "1,234", "7 from train", "layercam", "0.123", "clinic", "abc"):
        assert words in text
    assert "4 (maximum: 9)" in text
    assert "after 5 epochs without improvement of val/auroc" in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "<script" not in text
    assert "<b>" not in text
    assert all(re.findall(r"<img[^>]*alt=\"([^\"]*)\"", text))
    assert text.index("(COVID-19)") < text.index("true class normal (normal)")


def test_pictures_come_first_and_details_are_collapsed(tmp_path):
    page = make_page(read_run(a_run(tmp_path / "run")))
    assert titles(page)[:4] == [
        "Results",
        "Grad-CAM heatmaps",
        "Confident errors",
        "Limitations and next steps",
    ]
    assert [name for name, _ in page.headline.metrics] == [
        "AUROC",
        "Sensitivity",
        "Specificity",
        "Accuracy",
    ]
    text = html(tmp_path / "run")
    assert text.index("<figure>") < text.index("<table")
    first, _, rest = text.partition("<h2>Details</h2>")
    assert "<details>" not in first
    assert "<table" not in rest.partition("<details>")[0]
    assert text.count("<details>") == text.count("<summary>") == len(page.details)
    # Chromium shows closed details in print with this rule.
    assert "details::details-content" in text.partition("@media print")[2]


def test_headings_have_no_gaps(tmp_path):
    levels = [int(level) for level in re.findall(r"<h(\d)>", html(a_run(tmp_path / "run")))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_metric_names_have_definitions_as_tooltips(tmp_path):
    text = html(a_run(tmp_path / "run"))
    assert f'<abbr title="{METRICS["specificity"].text}">Specificity</abbr>' in text
    for metric in METRICS.values():
        assert f"<dt>{metric.name}</dt>" in text
    assert str(term("Sensitivity (macro)")).startswith('<abbr title="True-positive rate')
    assert str(term("<b>")) == "&lt;b&gt;"


def test_report_is_reproducible(tmp_path):
    run = a_run(tmp_path / "run")
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


@pytest.mark.slow
def test_forty_pictures_stay_below_five_megabytes(tmp_path):
    run = a_run(tmp_path / "run", overlays=40)
    for path in (run / "gradcam" / "test").glob("*.png"):
        Image.linear_gradient("L").resize((1400, 560)).convert("RGB").save(path)
    assert write_report(run).stat().st_size < 5e6


def test_long_galleries_are_cut_with_a_note(tmp_path):
    run = a_run(tmp_path / "run")
    shutil.rmtree(run / "gradcam")
    count = MAX_PICTURES + 3
    rows = [["x.png", f"{i}.png", "normal", "normal", "normal", "0.9"] for i in range(count)]
    write_gallery(run / "gradcam" / "test", rows, Image.new("RGB", (90, 30)))
    text = html(run)
    assert f"{MAX_PICTURES} of {count} heatmaps are shown" in text
    assert text.count('alt="X-ray image, heatmap and overlay of') == MAX_PICTURES


def test_markdown_links_the_pictures_of_the_run(tmp_path):
    run = a_run(tmp_path / "run")
    write_report(run)
    text = (run / "report.md").read_text(encoding="utf-8")
    links = re.findall(r"!\[.*\]\((.*)\)", text)
    assert "figures/test_roc.png" in links
    assert all((run / link).is_file() for link in links)
    assert "<b>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert "| --- | ---: |" in "\n".join(rows)
    assert "\n\n\n\n" not in text


def test_three_classes_have_macro_averages_and_no_threshold(tmp_path):
    run = a_run(tmp_path / "run", k=3)
    page = make_page(read_run(run))
    assert [name for name, _ in page.headline.metrics][1] == "Sensitivity (macro)"
    assert not any("if its probability is above" in text for text in page.headline.sentences)
    text = html(run)
    assert "each class against the rest" in text
    assert "unweighted mean over the classes" in text


def test_confident_errors_follow_the_threshold_of_the_run(tmp_path):
    predictions = made(4)
    predictions.targets[:] = [0, 1, 0, 1]
    predictions.probabilities[:, 1] = [0.3, 0.3, 0.2, 0.9]
    predictions.probabilities[:, 0] = 1 - predictions.probabilities[:, 1]
    run = make_run(tmp_path / "run", predictions, config={"seed": 0}, threshold=0.23)
    text = html(run)
    assert "Shown: 1 of 1 errors in 4 test images, most confident first." in text
    assert re.search(r"0\.png</t[dh]>\s*<td[^>]*>normal \(x\)</td>\s*<td[^>]*>pneumonia<", text)


@pytest.mark.slow
def test_predictive_values_are_one_chart(tmp_path):
    run = a_run(tmp_path / "run")
    write_results(run, {"val": made(60), "test": made(80, seed=1)}, Console(file=io.StringIO()))
    text = html(run)
    positive = made(80, seed=1).targets.mean()
    assert f"the prevalence in these images ({positive:.0%})" in text
    assert (run / "figures" / "test_predictive_values.png").is_file()
    place = read_json(run / "metrics.json")["test"]["operating_points"][0]["at_prevalence"][0]
    assert f"at a prevalence of 1% PPV {place['ppv']['value']:.3f}" in text
    assert not re.search(r"<t[dh][^>]*>20%</t[dh]>", text)


@pytest.mark.slow
def test_results_on_another_dataset_are_shown_next_to_the_own_test(tmp_path):
    run = a_run(tmp_path / "run")
    console, elsewhere = Console(file=io.StringIO()), run / "external" / "ward_1"
    write_results(elsewhere, {"test": made(30, seed=4)}, console)
    (grid,) = blocks(make_page(read_run(run)), "Other datasets")
    assert grid.columns == ["Metric", "test", "own test"]
    own = summarize(made(40))["auroc"]["value"]
    other = read_json(elsewhere / "metrics.json")["test"]["auroc"]["value"]
    (row,) = [row for row in grid.rows if row[0] == "AUROC"]
    assert [cell[:5] for cell in row[1:]] == [f"{other:.3f}", f"{own:.3f}"]


def test_missing_measurements_are_named_with_their_command(tmp_path):
    run = a_run(tmp_path / "run")
    text = html(run)
    assert f"python -m xray.gradcam run={run} scorecard=true" in text
    assert f"python -m xray.shortcuts run={run}" in text
    note = f"{EXPOSED}: with the corners hidden the AUROC falls by 0.200. Hidden: filled."
    rows = [{"images": "as they are", "measure": "auroc", "value": 0.9, "n": 40}]
    (run / "shortcuts.json").write_text(json.dumps({"title": "T", "note": note, "rows": rows}))
    text = html(run)
    assert "xray.shortcuts" not in text
    assert text.count("with the corners hidden the AUROC falls by 0.200.") == 2


def test_note_of_a_scorecard_states_what_was_skipped(tmp_path):
    run = a_run(tmp_path / "run")
    row = {"group": "weights", "measure": "m", "map": "map", "value": 1.0, "n": 2}
    content = {"title": "T", "note": "ROAD was skipped: run xray.gradcam.", "rows": [row]}
    (run / "gradcam" / "test" / "scorecard.json").write_text(json.dumps(content))
    assert "ROAD was skipped: run xray.gradcam." in html(run)


def test_heatmaps_of_errors_replace_their_images(tmp_path):
    run = a_run(tmp_path / "run")
    predictions = made(40)
    (wrong, *_), right = confident_errors(predictions), int(np.argmax(predictions.targets == 0))
    rows = [
        [f"{i}.png", f"/data/{i}{BAD}", "x", "normal", "pneumonia", "0.9"] for i in (wrong, right)
    ]
    write_gallery(run / "gradcam" / "test" / "failures", rows, Image.new("RGB", (90, 30)))
    _, pictures = blocks(make_page(read_run(run)), "Confident errors")
    assert [picture.link for picture in pictures.items] == [f"gradcam/test/failures/{wrong}.png"]


def test_empty_run_names_what_is_missing(tmp_path):
    text = html(tmp_path)
    for words in ("no metrics.json", "no data.json", "no environment.json", "no heatmaps"):
        assert words in text
    assert "The run has no figures" in text
    assert "Split verdict: unknown" in text


def test_results_of_older_runs_have_no_intervals(tmp_path):
    run = a_run(tmp_path / "run")
    old = {"test": {"n": 5, "patients": 5, "threshold": 0.5, "auroc": 0.75, "accuracy": 0.8}}
    (run / "metrics.json").write_text(json.dumps(old))
    (run / "data.json").write_text(json.dumps({"audit": "not audited"}))
    page = make_page(read_run(run))
    assert dict(page.headline.metrics)["AUROC"] == "0.750"
    assert dict(page.headline.metrics)["Sensitivity"] == "-"
    assert not page.headline.good


@pytest.mark.slow
def test_report_of_version_0_1_has_no_damaged_part(tmp_path, caplog):
    run = shutil.copytree(FIXTURE, tmp_path / "run")
    text = html(run)
    assert caplog.text == ""
    for words in ("left out", "Damaged files", "rule youden", "center prior"):
        assert (words in text) == (words in {"rule youden", "center prior"})
    assert text.count("<img") == 2 + 5 + 3 + 3


def test_run_without_errors(tmp_path):
    predictions = made(4)
    predictions.targets[:] = predictions.predicted
    run = make_run(tmp_path / "run", predictions, config={"seed": 0})
    assert "All predictions of the test split are correct" in html(run)


def test_markdown_characters_are_escaped():
    assert literal("a|b\n*c*") == r"a\|b \*c\*"


def test_command_writes_the_report(tmp_path, monkeypatch, capsys):
    run = a_run(tmp_path / "run")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "best.ckpt").touch()
    config = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
    assert config["seed"] == 0
    monkeypatch.setattr(sys, "argv", ["report", f"run={run}", f"paths.outputs={tmp_path}"])
    report.main()
    assert (run / "report.html").is_file()
    assert "report.html" in capsys.readouterr().out


def test_command_rejects_a_missing_directory(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["report", f"run={tmp_path / 'none'}"])
    with pytest.raises(SystemExit):
        report.main()
    assert "is not a directory" in capsys.readouterr().err
