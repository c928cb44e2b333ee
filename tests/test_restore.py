import json
import shutil
from pathlib import Path

import pytest
import torch

from xray import restore
from xray.errors import RunError
from xray.model.classifier import XrayClassifier
from xray.model.operating_point import OperatingPoint

OLD = Path(__file__).parent / "fixtures/run_v0_1/outputs/train/run"


@pytest.fixture
def old(tmp_path):
    """A copy of a run directory of version 0.1.0."""
    return shutil.copytree(OLD, tmp_path / "run")


def test_damaged_checkpoint(tmp_path):
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"half")
    with pytest.raises(RunError, match=r"best\.ckpt is not a readable checkpoint"):
        restore.load_classifier(path)


def test_checkpoint_of_version_0_1_has_the_operating_point_of_its_run(old):
    points = json.loads((old / "checkpoints" / "operating_points.json").read_text())
    model = restore.load_classifier(old / "checkpoints" / "best.ckpt")
    assert type(model) is XrayClassifier
    rule = points["rule"]
    expected = OperatingPoint(rule, points["thresholds"][rule], points["temperature"])
    assert model.operating_point == expected == restore.operating_point(old)
    image = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    assert model.predict_probabilities(image).sum() == pytest.approx(1)


def test_without_operating_points_the_metrics_are_read(old):
    (old / "checkpoints" / "operating_points.json").unlink()
    metrics = json.loads((old / "metrics.json").read_text())
    point = restore.operating_point(old)
    assert point.threshold == metrics["test"]["threshold"]
    assert point.temperature == metrics["test"]["calibration"]["temperature"]
    (old / "metrics.json").unlink()
    assert restore.operating_point(old) == OperatingPoint()
