"""The public API, on a run directory of version 0.1.0."""

import doctest
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from made_images import write_image
from older_runs import project_with_run

import xray
from xray import api
from xray.errors import DataError, ImageError, RunError
from xray.runs.predictions import calibrate
from xray.runs.run import RunFiles


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run and its images."""
    with project_with_run(tmp_path_factory.mktemp("project")) as folder:
        yield folder


@pytest.fixture(scope="module")
def run(project: Path) -> xray.Run:
    return xray.load_run(project / "outputs/train/run", device="cpu")


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, xray; print(len(set(sys.modules) & {'torch', 'numpy', 'hydra', 'yaml'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_public_names_are_listed_and_exist():
    assert dir(xray) == sorted(xray.__all__)
    assert {"load_run", "Run", "Prediction", "explain", "XrayDataModule"} <= set(dir(xray))
    for name in xray.__all__:
        assert getattr(xray, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'STARTED'"):
        _ = xray.STARTED


def test_examples_in_docstrings(project: Path):
    directory = project / "outputs/train/run"
    image = min((project / "images/test").rglob("*.png"))
    names = {"xray": xray, "torch": torch, "directory": directory, "image": image}
    tests = doctest.DocTestFinder(recurse=True).find(api, globs=names)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    results = [runner.run(test) for test in tests if test.examples]
    assert len(results) >= 2
    assert sum(result.failed for result in results) == 0


def test_attributes_of_a_run(run: xray.Run, project: Path):
    assert run.classes == ("normal", "pneumonia")
    assert run.threshold == pytest.approx(0.3970637023448944)
    assert run.temperature is None
    assert 0 <= run.metrics["test"]["auroc"]["value"] <= 1
    assert run.data.classes == run.classes
    assert not run.model.training
    assert run.path == project / "outputs/train/run"
    assert repr(run) == f"Run('{run.path}')"


def test_latest_is_the_run_with_the_newest_checkpoint(project: Path):
    found = xray.load_run("latest", outputs=project / "outputs")
    assert found.path in set(project.glob("outputs/*/**/.hydra/..")) | {
        project / "outputs/train/run",
        *project.glob("outputs/multirun/sweep/*"),
    }
    with pytest.raises(RunError, match="is not a directory"):
        xray.load_run(project / "nowhere")


def test_predictions_are_those_of_evaluate(run: xray.Run, project: Path):
    recorded = RunFiles(run.path).predictions("test")
    assert recorded is not None
    found = {str(p.path): p for p in run.predict(project / "images/test")}
    assert set(found) == set(recorded.paths)
    expected = calibrate(recorded.probabilities, run.temperature)
    for path, label, row in zip(recorded.paths, recorded.predicted, expected, strict=True):
        assert found[path].label == run.classes[label]
        np.testing.assert_allclose(list(found[path].probabilities.values()), row, atol=1e-6)


def test_one_file_one_array_and_several(run: xray.Run, project: Path, tmp_path: Path):
    files = sorted((project / "images/test").rglob("*.png"))[:2]
    single = run.predict(files[0])
    assert isinstance(single, xray.Prediction)
    assert single.path == files[0]
    assert single.size == (40, 40)
    array = np.asarray(api.load_image(files[0]).pixels)
    assert run.predict(array).probabilities == single.probabilities
    mixed = list(run.predict([str(files[0]), array, tmp_path / "missing.png"]))
    assert [p.error is None for p in mixed] == [True, True, False]
    (tmp_path / "list.txt").write_text("\n".join(map(str, [*files, files[0]])))
    assert [p.path for p in run.predict(tmp_path / "list.txt")] == files


def test_wrong_input_names_what_is_expected(run: xray.Run, tmp_path: Path):
    with pytest.raises(ImageError, match=r"missing\.png"):
        run.predict(tmp_path / "missing.png")
    with pytest.raises(DataError, match=r"expected \(H, W\) uint8"):
        run.predict(np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(DataError, match=r"expected \(H, W\) uint8"):
        run.heatmap(np.zeros((8, 8), np.float32))
    with pytest.raises(DataError, match="does not exist"):
        run.predict(tmp_path / "missing.csv")


def test_heatmaps_and_overlays_have_the_size_of_the_image(run: xray.Run, tmp_path: Path):
    file = write_image(tmp_path / "1.png", size=77)
    heatmap = run.heatmap(file, "pneumonia")
    assert (heatmap.shape, heatmap.dtype) == ((77, 77), np.float32)
    assert 0 <= heatmap.min() <= heatmap.max() <= 1
    overlay = run.overlay(file, "pneumonia", method="layercam")
    assert (overlay.shape, overlay.dtype) == ((77, 77, 3), np.uint8)
    with pytest.raises(xray.ConfigError, match="'covid' is not a class"):
        run.heatmap(file, "covid")


def test_explain_leaves_the_model_unchanged(run: xray.Run):
    images = torch.randint(0, 256, (3, 1, 32, 32), dtype=torch.uint8)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    heatmaps = xray.explain(run.model, images)
    assert heatmaps.shape == (3, 32, 32)
    assert not run.model.training
    assert all(torch.equal(before[k], v) for k, v in run.model.state_dict().items())


def test_opening_a_run_reads_neither_images_nor_weights(project: Path):
    begin = time.perf_counter()
    opened = xray.load_run(project / "outputs/train/run")
    assert time.perf_counter() - begin < 1
    assert "session" not in vars(opened)
