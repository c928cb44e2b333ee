"""Scorecards and the shortcut audit, through their commands, on phantoms."""

import csv
import json
import re

import pytest
from commands import run_below

from xray import gradcam, shortcuts, train
from xray.phantom.tree import write_phantom_tree
from xray.saliency.faithfulness import DELETION, INSERTION, ROAD
from xray.saliency.scorecard import PEAK

TINY = [
    "data=folder",
    "data.size=64",
    "data.batch_size=16",
    "data.workers=0",
    "data.min_val=0",
    "model.weights=random",
    "model.head.hidden=[16]",
    "model.head.norm=batch",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "optim.lr=3e-3",
    "callbacks.early_stopping.patience=50",
    "~callbacks.progress",
    "callbacks.gradcam.n=0",
    "callbacks.gradcam.scorecard=6",
]
PATIENTS = {"train": 24, "val": 8, "test": 24}


def trained(folder):
    root = folder / "set"
    write_phantom_tree(root, patients=PATIENTS, views=1, size=64, seed=0)
    return run_below(folder, train, *TINY, f"data.root={root}")


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    return folder, trained(folder)


def auroc(report):
    return {row["images"]: row for row in report["rows"] if row["measure"] == "auroc"}


@pytest.mark.slow
def test_shortcut_audit_writes_its_files_and_updates_the_report(clean, capsys):
    folder, run = clean
    run_below(folder, shortcuts, f"run={run}", "gpus=0")
    report = json.loads((run / "shortcuts.json").read_text())
    assert "masks next to the images" in report["note"]
    assert {row["n"] for row in report["rows"]} == {24}
    with (run / "shortcuts.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(report["rows"]) == 14
    conclusion = report["note"].partition(" Hidden")[0]
    assert conclusion in capsys.readouterr().out
    assert conclusion in (run / "report.md").read_text()


def test_training_scores_the_maps_of_some_test_images(clean):
    _, run = clean
    report = json.loads((run / "gradcam" / "test" / "scorecard.json").read_text())
    assert report["title"] == "Scorecard of gradcam, test, 6 of 24 images"
    assert "python -m" not in report["note"]
    found = {(row["measure"], row["map"]): row for row in report["rows"]}
    assert found["energy in the lungs", "center prior"]["n"] == 6
    page = (run / "report.html").read_text()
    assert "Grad-CAM scorecard, test, 6 of 24 images: heat inside the lungs" in page


@pytest.mark.slow
def test_maps_are_scored_against_baselines(clean):
    folder, run = clean
    shown = run_below(folder, gradcam, f"run={run}", "n=1", "scorecard=true")
    assert (shown / "gradcam" / "test" / "failures" / "index.csv").is_file()
    assert "test: localization of lesions" in (run / "report.html").read_text()
    report = json.loads((run / "gradcam" / "test" / "scorecard.json").read_text())
    found = {(row["measure"], row["map"]): row for row in report["rows"]}
    maps = {"map", "center prior", "mean map of the class", "randomized weights"}
    assert {name for measure, name in found if measure == "pointing game"} == maps
    assert {name for measure, name in found if measure == "energy in the lungs"} == maps
    assert found["energy in the lungs", "center prior"]["n"] == 24
    assert found["IoU at half the maximum", "center prior"]["n"] == 12
    assert {name for measure, name in found if measure == PEAK} == {"map", "randomized weights"}
    assert {row["group"] for row in report["rows"]} == {"lesion", "lung", "weights"}
    alike = found["rank correlation with randomized weights", "map"]
    assert -1 <= alike["low"] <= alike["value"] <= alike["high"] <= 1
    first = (run / "gradcam" / "test" / "scorecard.csv").read_text()
    run_below(folder, gradcam, f"run={run}", "n=1", "scorecard=true")
    assert (run / "gradcam" / "test" / "scorecard.csv").read_text() == first


@pytest.mark.slow
def test_without_masks_a_box_replaces_the_lungs(clean):
    folder, run = clean
    masks = folder / "set" / "masks"
    masks.rename(folder / "moved")
    try:
        run_below(folder, shortcuts, f"run={run}", "gpus=0")
        run_below(folder, gradcam, f"run={run}", "n=1", "scorecard=true", "faithfulness_n=2")
    finally:
        (folder / "moved").rename(masks)
    report = json.loads((run / "shortcuts.json").read_text())
    assert re.search(r"masks of 0 of \d+ images: a box", report["note"])
    assert "silhouette" not in auroc(report)
    rows = json.loads((run / "gradcam" / "test" / "scorecard.json").read_text())["rows"]
    assert {row["group"] for row in rows} == {"faithfulness", "weights"}
    faithful = [row for row in rows if row["group"] == "faithfulness"]
    assert {row["measure"] for row in faithful} == {ROAD, DELETION, INSERTION}
    assert {row["n"] for row in faithful if row["map"] == "map"} == {2}
