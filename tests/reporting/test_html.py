"""A report is whole, safe and small, whatever a run left behind."""

import csv
import io
import json
import re
import sys

import numpy as np
import pytest
import yaml
from made_runs import CONFIG, made, make_run
from PIL import Image
from rich.console import Console

from xray import report
from xray.evaluation.shortcuts import EXPOSED
from xray.evaluation.summary import summarize
from xray.reporting.failures import worst_failures
from xray.reporting.html import WIDTH, data_uri, literal, make_page, write_report
from xray.reporting.results import write_results
from xray.runs.reading import read_json
from xray.runs.run import read_run

BAD = "<b>&\"'|x.png"


def a_run(directory, overlays=2, k=2):
    predictions = made(40, k=k)
    predictions.paths[:] = [f"/data/{i}{BAD}" for i in range(40)]
    config = CONFIG | {"model": {"backbone": "vgg16", "weights": "random"}}
    config |= {"trainer": {"max_epochs": 9}, "monitor": {"metric": "val/auroc"}}
    config |= {"callbacks": {"early_stopping": {"patience": 5}}}
    run = make_run(directory, predictions, config=config)
    (run / "metrics.json").write_text(json.dumps({"test": summarize(predictions)}))
    (run / "data.json").write_text(
        json.dumps(
            {
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
        )
    )
    (run / "environment.json").write_text(
        json.dumps({"started": "2026", "git": {"commit": "abc", "dirty": True}, "command": ["a b"]})
    )
    (run / "metrics.csv").write_text("epoch,val/auroc\n0,0.5\n3,0.6\n4,\n,\n")
    noise = np.random.default_rng(0).integers(0, 255, (300, 1400, 3), dtype=np.uint8)
    folder = run / "gradcam" / "test"
    folder.mkdir(parents=True)
    (run / "figures").mkdir()
    Image.fromarray(noise).save(run / "figures" / "test_roc.png")
    Image.fromarray(noise).save(run / "figures" / "test_failures.png")
    labels = ["normal"] * (overlays - 1) + ["COVID-19"]
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "path", "label", "truth", "predicted", "probability"])
        for i, label in enumerate(labels):
            Image.fromarray(noise).save(folder / f"{i}.png")
            writer.writerow([f"{i}.png", f"/data/{i}{BAD}", label, "normal", "normal", "0.51234"])
    return run


def test_everything_is_there_and_nothing_from_elsewhere(tmp_path):
    run = a_run(tmp_path / "run")
    (run / "gradcam" / "test" / "scorecard.json").write_text(
        json.dumps({"rows": [{"method": "layercam", "value": 0.12345}, {"method": "b"}]})
    )
    (run / "external" / "clinic").mkdir(parents=True)
    (run / "external" / "clinic" / "metrics.json").write_text((run / "metrics.json").read_text())
    text = write_report(run).read_text(encoding="utf-8")
    for words in ("40 test images", "1,234", "7 from train", "layercam", "0.123", "clinic", "abc"):
        assert words in text
    assert "4 of 9 at most" in text
    assert "after 5 epochs without a better val/auroc" in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "<script" not in text
    assert "<b>" not in text
    assert all(alt for alt in re.findall(r"<img[^>]*alt=\"([^\"]*)\"", text))
    assert text.index("COVID-19") < text.index("truth normal (normal)")


def test_it_is_the_same_each_time(tmp_path):
    run = a_run(tmp_path / "run")
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_forty_pictures_stay_below_five_megabytes(tmp_path):
    run = a_run(tmp_path / "run", overlays=40)
    for path in (run / "gradcam" / "test").glob("*.png"):
        grey = Image.linear_gradient("L").resize((1400, 560)).convert("RGB")
        grey.save(path)
    assert write_report(run).stat().st_size < 5e6


def test_markdown_links_the_runs_own_pictures(tmp_path):
    run = a_run(tmp_path / "run")
    write_report(run)
    text = (run / "report.md").read_text(encoding="utf-8")
    links = re.findall(r"!\[.*\]\((.*)\)", text)
    assert "figures/test_roc.png" in links
    assert all((run / link).is_file() for link in links)
    assert "<b>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert "| --- | ---: |" in "\n".join(rows)


def test_three_classes(tmp_path):
    text = write_report(a_run(tmp_path / "run", k=3)).read_text(encoding="utf-8")
    assert "each against the rest" in text
    assert "called covid above" not in text


def test_rates_of_three_classes_are_called_averages(tmp_path):
    page = make_page(read_run(a_run(tmp_path / "run", k=3)))
    assert "Sensitivity, of each class against the rest and averaged, " in page.headline
    text = write_report(tmp_path / "run").read_text(encoding="utf-8")
    assert "averaged over the classes" in text
    assert "share of the ill that are found" not in text
    assert "images above this probability" not in text


def test_mistakes_are_those_at_the_runs_threshold(tmp_path):
    predictions = made(4)
    predictions.targets[:] = [0, 1, 0, 1]
    predictions.probabilities[:, 1] = [0.3, 0.3, 0.2, 0.9]
    predictions.probabilities[:, 0] = 1 - predictions.probabilities[:, 1]
    run = make_run(tmp_path / "run", predictions, config={"seed": 0}, threshold=0.23)
    text = write_report(run).read_text(encoding="utf-8")
    assert "The 1 surest mistakes on test" in text
    assert re.search(r"0\.png</t[dh]>\s*<td[^>]*>normal \(x\)</td>\s*<td[^>]*>pneumonia<", text)


def test_what_alarms_are_worth_elsewhere(tmp_path):
    run = a_run(tmp_path / "run")
    write_results(run, {"val": made(60), "test": made(80, seed=1)}, Console(file=io.StringIO()))
    text = write_report(run).read_text(encoding="utf-8")
    ill = made(80, seed=1).targets.mean()
    assert f"for the share of ill images here ({ill:.0%})" in text
    assert "What alarms and all-clears are worth elsewhere" in text
    rules = re.findall(r"<t[dh][^>]*>(\S+)</t[dh]>\s*<td[^>]*>20%</td>", text)
    assert rules == ["0.5", "youden", "sens@0.95", "spec@0.90"]
    assert "threshold: images above this probability are called ill" in text


def test_another_folders_result_stands_beside_the_runs_own(tmp_path):
    run = a_run(tmp_path / "run")
    console, elsewhere = Console(file=io.StringIO()), run / "external" / "ward_1"
    write_results(elsewhere, {"test": made(30, seed=4)}, console)
    page = make_page(read_run(run))
    (grid,) = next(s for s in page.sections if s.title == "Further results").blocks
    assert grid.columns == ["", "test", "own test"]
    own = summarize(made(40))["auroc"]["value"]
    other = read_json(elsewhere / "metrics.json")["test"]["auroc"]["value"]
    assert grid.rows[1][0].startswith("auroc")
    assert [cell[:5] for cell in grid.rows[1][1:]] == [f"{other:.3f}", f"{own:.3f}"]


def test_what_was_not_measured_is_said(tmp_path):
    run = a_run(tmp_path / "run")
    text = write_report(run).read_text(encoding="utf-8")
    assert "xray.gradcam scorecard=true does" in text
    assert "xray.shortcuts does" in text
    note = f"{EXPOSED}: with the corners hidden it falls by 0.200. Hidden: filled."
    rows = [{"images": "as they are", "measure": "auroc", "value": 0.9, "n": 40}]
    (run / "shortcuts.json").write_text(json.dumps({"title": "T", "note": note, "rows": rows}))
    text = write_report(run).read_text(encoding="utf-8")
    assert "xray.shortcuts does" not in text
    assert text.count("with the corners hidden it falls by 0.200.") == 2


def test_overlays_of_mistakes_take_the_place_of_their_images(tmp_path):
    run = a_run(tmp_path / "run")
    predictions = made(40)
    (wrong, *_), right = worst_failures(predictions), int(np.argmax(predictions.targets == 0))
    folder = run / "gradcam" / "test" / "failures"
    folder.mkdir()
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "path", "label", "truth", "predicted", "probability"])
        for i in (wrong, right):
            Image.new("RGB", (90, 30)).save(folder / f"{i}.png")
            writer.writerow([f"{i}.png", f"/data/{i}{BAD}", "x", "normal", "pneumonia", "0.9"])
    page = make_page(read_run(run))
    section = next(section for section in page.sections if section.title == "Worst errors")
    _, pictures = section.blocks
    assert [picture.link for picture in pictures.items] == [f"gradcam/test/failures/{wrong}.png"]


def test_an_empty_run_is_told_of(tmp_path):
    text = write_report(tmp_path).read_text(encoding="utf-8")
    for words in ("no metrics.json", "no data.json", "no environment.json", "no overlays"):
        assert words in text
    assert "The run holds no figures" in text
    assert "unknown. The run holds no certificate" in text


def test_damaged_parts_count_as_missing(tmp_path):
    run = a_run(tmp_path / "run")
    (run / "data.json").write_text("{")
    (run / "environment.json").write_text("[]")
    (run / "figures" / "test_roc.png").write_bytes(b"no picture")
    text = write_report(run).read_text(encoding="utf-8")
    assert "no data.json" in text
    assert "figures/test_roc.png cannot be read" in text


def test_figures_of_older_runs_have_no_intervals(tmp_path):
    run = a_run(tmp_path / "run")
    old = {"test": {"n": 5, "patients": 5, "threshold": 0.5, "auroc": 0.75, "accuracy": 0.8}}
    (run / "metrics.json").write_text(json.dumps(old))
    (run / "data.json").write_text(json.dumps({"audit": "not audited"}))
    page = make_page(read_run(run))
    assert "AUROC 0.750, accuracy 0.800" in page.headline
    assert not page.good


def test_no_mistakes_no_pictures_of_them(tmp_path):
    predictions = made(4)
    predictions.targets[:] = predictions.predicted
    run = make_run(tmp_path / "run", predictions, config={"seed": 0})
    assert "Every test image was called rightly" in write_report(run).read_text(encoding="utf-8")


def test_wide_pictures_are_made_smaller(tmp_path):
    Image.new("L", (4000, 10)).save(tmp_path / "a.png")
    assert len(data_uri(tmp_path / "a.png")) < 4 * WIDTH


def test_markdown_signs_are_literal():
    assert literal("a|b\n*c*") == r"a\|b \*c\*"


def test_the_verb_reports_a_run(tmp_path, monkeypatch, capsys):
    run = a_run(tmp_path / "run")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "best.ckpt").touch()
    config = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
    assert config["seed"] == 0
    monkeypatch.setattr(sys, "argv", ["report", f"run={run}", f"paths.outputs={tmp_path}"])
    report.main()
    assert (run / "report.html").is_file()
    assert "report.html" in capsys.readouterr().out


def test_the_verb_refuses_what_is_no_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["report", f"run={tmp_path / 'none'}"])
    with pytest.raises(SystemExit):
        report.main()
    assert "is not a directory" in capsys.readouterr().err
