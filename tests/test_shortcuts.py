"""Maps scored and shortcuts found, through the real entry points, on drawn phantoms."""

import csv
import json
import shutil
import sys

import cv2
import pytest

from xray import gradcam, shortcuts, train
from xray.imaging.phantom_tree import write_phantom_tree

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
    "trainer.max_epochs=8",
    "optim.lr=3e-3",
    "callbacks.early_stopping.patience=50",
    "~callbacks.progress",
    "~callbacks.gradcam",
]
PATIENTS = {"train": 48, "val": 12, "test": 24}


def call(verb, outputs, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [verb.__name__, f"paths.outputs={outputs}", *arguments])
        verb.main()
    return max(outputs.glob("train/*"), key=lambda path: path.stat().st_mtime_ns)


def plant(root):
    """Write a bright letter into a corner of every image of a disease."""
    for folder in ("pneumonia", "covid"):
        for path in root.glob(f"[!m]*/{folder}/*.png"):
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            cv2.putText(image, "L", (1, 8), cv2.FONT_HERSHEY_PLAIN, 0.7, 255, 2)
            cv2.imwrite(str(path), image)


def trained(folder, *, marked, masks=True, seed=0):
    root = folder / "set"
    write_phantom_tree(root, patients=PATIENTS, views=1, size=64, seed=seed)
    if marked:
        plant(root)
    if not masks:
        shutil.rmtree(root / "masks")
    return call(train, folder, *TINY, f"data.root={root}", f"seed={seed}")


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marked")
    return folder, trained(folder, marked=True)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    return folder, trained(folder, marked=False)


def auroc(report):
    return {row["images"]: row for row in report["rows"] if row["measure"] == "auroc"}


def test_a_planted_letter_is_exposed(marked, capsys):
    folder, run = marked
    call(shortcuts, folder, f"run={run}", "gpus=0", "batch_size=8")
    report = json.loads((run / "shortcuts.json").read_text())
    found = auroc(report)
    assert found["as they are"]["value"] > 0.9
    assert found["lungs hidden"]["value"] > 0.8
    assert found["corners hidden"]["difference_high"] < 0
    assert report["note"].startswith("The network uses something other than the lungs: ")
    assert "corners hidden" in report["note"]
    assert "The network uses something other than the lungs" in capsys.readouterr().out
    with (run / "shortcuts.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(report["rows"]) == 14


def test_a_clean_set_is_cleared(clean):
    folder, run = clean
    call(shortcuts, folder, f"run={run}", "gpus=0")
    report = json.loads((run / "shortcuts.json").read_text())
    assert "uses something other than the lungs:" not in report["note"]
    assert "masks beside the images" in report["note"]


def test_maps_are_scored_beside_controls(clean):
    folder, run = clean
    call(gradcam, folder, f"run={run}", "n=1", "scorecard=true")
    report = json.loads((run / "gradcam" / "test" / "scorecard.json").read_text())
    found = {(row["measure"], row["map"]): row for row in report["rows"]}
    maps = {"map", "centre prior", "mean map of the class", "randomised weights"}
    assert {name for measure, name in found if measure == "pointing game"} == maps
    assert {name for measure, name in found if measure == "energy in the lungs"} == maps
    assert found["energy in the lungs", "centre prior"]["n"] == 24
    assert found["IoU at half the maximum", "centre prior"]["n"] == 12
    alike = found["rank correlation with randomised weights", "map"]
    assert -1 <= alike["low"] <= alike["value"] <= alike["high"] <= 1
    first = (run / "gradcam" / "test" / "scorecard.csv").read_text()
    call(gradcam, folder, f"run={run}", "n=1", "scorecard=true")
    assert (run / "gradcam" / "test" / "scorecard.csv").read_text() == first


def test_without_masks_a_box_stands_for_the_lungs(clean):
    folder, run = clean
    masks = folder / "set" / "masks"
    masks.rename(folder / "kept")
    try:
        call(shortcuts, folder, f"run={run}", "gpus=0")
        call(gradcam, folder, f"run={run}", "n=1", "scorecard=true")
    finally:
        (folder / "kept").rename(masks)
    report = json.loads((run / "shortcuts.json").read_text())
    assert "no masks: a plain box" in report["note"]
    assert "silhouette" not in auroc(report)
    rows = json.loads((run / "gradcam" / "test" / "scorecard.json").read_text())["rows"]
    assert [row["measure"] for row in rows] == ["rank correlation with randomised weights"]
