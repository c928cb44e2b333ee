"""The shortcut audit detects a letter that is correlated with the class."""

import albumentations as A
import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xray.data.datamodule import XrayDataModule
from xray.evaluation.shortcuts import AS_IS, conclude, shortcut_rows
from xray.phantom.tree import write_phantom_tree
from xray.runs.predictions import Predictions
from xray.saliency.occlusion import OCCLUSIONS, OccludedDataset

SIDE = 32
GROUPS = {"normal": ["normal"], "pneumonia": ["pneumonia", "covid"]}


def plant(root):
    """Write a bright letter into a corner of every image with a disease."""
    for folder in ("pneumonia", "covid"):
        for path in root.glob(f"[!m]*/{folder}/*.png"):
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            cv2.putText(image, "L", (1, 8), cv2.FONT_HERSHEY_PLAIN, 0.7, 255, 2)
            cv2.imwrite(str(path), image)


def vectors(dataset):
    return np.stack([dataset.pixels(i).numpy().ravel() for i in range(len(dataset))]) / 255.0


def audited(root, *, marked, seed=0):
    """Fit a linear classifier of pixels and audit it for shortcuts."""
    patients = {"train": 120, "val": 8, "test": 80}
    write_phantom_tree(root, patients=patients, views=1, size=64, seed=seed)
    if marked:
        plant(root)
    steps = {"train": [A.Resize(SIDE, SIDE)], "eval": [A.Resize(SIDE, SIDE)]}
    data = XrayDataModule(root, GROUPS, steps, size=SIDE, workers=0, min_val=0, audit=False)
    train, test = data.dataset("train"), data.dataset("test")
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    fitted.fit(vectors(train), [sample.target for sample in train.samples])
    occluded = {name: OccludedDataset(test, o, masked=True) for name, o in OCCLUSIONS.items()}
    predictions = {
        name: Predictions(
            paths=[str(sample.path) for sample in test.samples],
            patients=[sample.owner for sample in test.samples],
            labels=[sample.label for sample in test.samples],
            targets=np.array([sample.target for sample in test.samples]),
            probabilities=fitted.predict_proba(vectors(images)),
            classes=tuple(GROUPS),
        )
        for name, images in {AS_IS: test, **occluded}.items()
    }
    return shortcut_rows(predictions)


def aurocs(rows):
    return {row["images"]: row["value"] for row in rows if row["measure"] == "auroc"}


@pytest.mark.slow
def test_planted_letter_is_detected(tmp_path):
    rows = audited(tmp_path / "set", marked=True)
    assert aurocs(rows)[AS_IS] > 0.9
    assert aurocs(rows)["lungs hidden"] > 0.7
    said = conclude(rows)
    assert said.startswith("The network uses something other than the lungs: ")
    assert "corners hidden" in said


@pytest.mark.slow
def test_set_without_letter_is_cleared(tmp_path):
    rows = audited(tmp_path / "set", marked=False)
    assert "uses something other" not in conclude(rows)
