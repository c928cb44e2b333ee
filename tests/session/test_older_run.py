"""The commands that work on a finished run, on a run directory of version 0.1.0."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from older_runs import copy_run

from xray import evaluate, gradcam, shortcuts
from xray.runs.predictions import Predictions, calibrate
from xray.runs.run import RunFiles

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Copy the run; relative paths in its configuration refer to the folder of the copy."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield copy_run(folder)


def call(command: ModuleType, run: Path, *arguments: str) -> None:
    """Call a command as the command line does."""
    outputs = run.parents[1]
    words = [f"run={run}", f"paths.outputs={outputs}", f"paths.cache={outputs}/cache", *arguments]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [command.__name__, *words])
        command.main()


@pytest.mark.slow
def test_evaluate_repeats_the_metrics_of_training(run: Path):
    before = json.loads((run / "metrics.json").read_text())
    predictions = RunFiles(run).predictions("test")
    call(evaluate, run, "gpus=0", "batch_size=4")
    after = json.loads((run / "metrics.json").read_text())
    assert after["val"] == before["val"]
    assert {k: after["test"][k] for k in ("auroc", "accuracy", "threshold")} == {
        k: before["test"][k] for k in ("auroc", "accuracy", "threshold")
    }
    again = RunFiles(run).predictions("test")
    assert predictions is not None
    assert again is not None
    assert again.paths == predictions.paths
    np.testing.assert_allclose(again.probabilities, predictions.probabilities, atol=1e-6)
    assert predictions.calibrated is None
    temperature = RunFiles(run).operating_points["temperature"]
    expected = calibrate(again.probabilities, temperature)
    np.testing.assert_allclose(again.calibrated, expected, atol=1e-12)


@pytest.mark.slow
def test_another_dataset_is_evaluated_into_its_own_folder(run: Path):
    before = (run / "metrics.json").read_bytes()
    root = run.parents[2] / "images"
    call(evaluate, run, "gpus=0", f"root={root}", "split=val")
    assert (run / "metrics.json").read_bytes() == before
    folders = [path for path in (run / "external").glob("images_*") if path.name != "images_e2fe9d"]
    assert len(folders) == 1
    own = RunFiles(run).predictions("val")
    external = Predictions.from_csv(folders[0] / "predictions" / "val.csv")
    assert own is not None
    np.testing.assert_allclose(external.probabilities, own.probabilities, atol=1e-6)


@pytest.mark.slow
def test_overlays_are_drawn(run: Path):
    call(gradcam, run, "n=3", "split=val", "seed=1")
    with (run / "gradcam" / "val" / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert all((run / "gradcam" / "val" / row["file"]).is_file() for row in rows)
    assert (run / "report.html").is_file()


@pytest.mark.slow
def test_shortcuts_are_measured(run: Path):
    (run / "shortcuts.json").unlink()
    call(shortcuts, run, "gpus=0", "batch_size=4")
    report = json.loads((run / "shortcuts.json").read_text())
    assert {row["n"] for row in report["rows"]} == {10}
    assert "masks of 0 of 10 images" in report["note"]
