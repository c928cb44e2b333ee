"""The command `xray.predict`, through its real entry point and configuration."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from made_images import write_image
from older_runs import project_with_run

from xray import predict
from xray.runs.run import RunFiles


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run and its images."""
    with project_with_run(tmp_path_factory.mktemp("project")) as folder:
        yield folder


@pytest.fixture
def call(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Call the command as the command line does, on the CPU."""

    def run(*arguments: str) -> None:
        words = [f"paths.outputs={project / 'outputs'}", "gpus=0", *arguments]
        monkeypatch.setattr(sys, "argv", ["predict", *words])
        predict.main()

    return run


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_labeled_split_is_predicted_as_in_evaluate(call, project, capsys):
    run = project / "outputs/train/run"
    call(f"run={run}", f"input={project / 'images/test'}", "overlays=1", "batch_size=4")
    (folder,) = (run / "predict").iterdir()
    assert folder.name.startswith("test_")
    recorded = RunFiles(run).predictions("test")
    assert recorded is not None
    found = {row["path"]: row for row in rows(folder)}
    assert set(found) == set(recorded.paths)
    for path, shares, k in zip(
        recorded.paths, recorded.probabilities, recorded.predicted, strict=True
    ):
        assert float(found[path]["p_pneumonia"]) == pytest.approx(shares[1], abs=1e-6)
        assert found[path]["predicted"] == recorded.classes[k]
        assert float(found[path]["threshold"]) == pytest.approx(recorded.threshold)
    assert len(list((folder / "overlays").iterdir())) == 1
    out = capsys.readouterr().out
    assert "10 images:" in out
    assert str(folder) in out.replace("\n", "")


def test_unlabeled_images_and_bad_files_into_a_folder(call, project, tmp_path):
    write_image(tmp_path / "in" / "a" / "1.png")
    write_image(tmp_path / "in" / "2.png")
    (tmp_path / "in" / "bad.dcm").write_bytes(b"bad")
    call(
        f"run={project / 'outputs/train/run'}",
        f"input={tmp_path / 'in'}",
        f"output={tmp_path / 'out'}",
        "overlays=none",
    )
    found = rows(tmp_path / "out")
    assert [Path(row["path"]).name for row in found] == ["2.png", "1.png", "bad.dcm"]
    assert [bool(row["error"]) for row in found] == [False, False, True]
    assert not np.isnan([float(row["p_normal"]) for row in found[:2]]).any()
    record = json.loads((tmp_path / "out" / "predict.json").read_text())
    assert record["images"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "input is not set"),
        (["input=/nowhere"], "/nowhere does not exist"),
        (["input=.", "overlays=some"], "a whole number, 0 or greater, all or none"),
        (["input=.", "run=/nowhere"], "run=/nowhere is not a directory"),
        (["input=.", "root=/x"], "root"),
    ],
)
def test_wrong_arguments_are_explained(call, capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        call(*arguments)
    assert stop.value.code == 1
    assert message in capsys.readouterr().err.replace("\n", " ")
