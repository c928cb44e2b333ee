"""Commands and the Python API on a finished run whose images were moved."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from mixed_files import PATIENT, write_mixed_files
from saved_runs import change_config
from trained_run import call, train_run, write_dataset

import xray
from xray import evaluate, gradcam, predict, shortcuts, train
from xray.errors import RunError
from xray.model.checkpoint import read_checkpoint, read_identity, store_operating_point
from xray.model.operating_point import OperatingPoint

pytestmark = pytest.mark.slow

COMMANDS = {
    "evaluate": (evaluate, ["run={run}", "gpus=0"]),
    "gradcam": (gradcam, ["run={run}", "n=2"]),
    "shortcuts": (shortcuts, ["run={run}", "gpus=0"]),
    "resume": (train, ["resume={run}", "trainer.max_epochs=21"]),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("set") / "images")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def run(outputs, images):
    """A run with a temperature and a threshold that was chosen on validation images."""
    return train_run(outputs, images)


@pytest.fixture
def moved(run, tmp_path):
    """A copy of the run that was trained on a folder which does not exist any more."""
    copy = shutil.copytree(run, tmp_path / "run")
    change_config(copy, data__root=str(tmp_path / "before"))
    return copy


@pytest.fixture
def incomplete(images, tmp_path):
    """The images of the run without one of them."""
    copy = shutil.copytree(images, tmp_path / "incomplete")
    (copy / "test" / "Normal" / "testNormal3_0.png").unlink()
    return copy


def refused(capsys, command, outputs, *arguments):
    """Call a command that must fail; return its message."""
    with pytest.raises(SystemExit) as stop:
        call(command, outputs, *arguments)
    assert stop.value.code == 1
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_moved_images(moved, images, incomplete, outputs, capsys, name):
    command, words = COMMANDS[name]
    arguments = [word.format(run=moved) for word in words]
    before = json.loads((moved / "metrics.json").read_text())
    assert "images=<folder>" in refused(capsys, command, outputs, *arguments)
    message = refused(capsys, command, outputs, *arguments, f"images={incomplete}")
    assert "Normal/testNormal3_0.png is missing" in message
    assert "images=<folder>" in message
    call(command, outputs, *arguments, f"images={images}")
    if name == "evaluate":
        assert json.loads((moved / "metrics.json").read_text()) == before


def test_moved_images_in_python(moved, images, incomplete):
    opened = xray.load_run(moved, images=images, device="cpu")
    opened.data.setup()
    assert len(opened.data.dataset("test")) == 16
    with pytest.raises(RunError, match=r"testNormal3_0\.png is missing"):
        _ = xray.load_run(moved, images=incomplete).data


@pytest.mark.slow
def test_prediction_needs_no_images_of_the_run(moved, images, outputs, tmp_path):
    arguments = [f"run={moved}", "gpus=0", f"input={images}/test", "overlays=1"]
    call(predict, outputs, *arguments, f"output={tmp_path / 'out'}")
    found = read(tmp_path / "out" / "predictions.csv")
    assert len(found) == 16
    # Unusual images are recognized from the statistics in data.json.
    image = np.full((40, 40), 255, np.uint8)
    assert xray.load_run(moved, device="cpu").predict(image).warnings


@pytest.mark.slow
def test_statistics_that_were_not_recorded_are_computed_from_the_images(
    moved, images, incomplete, outputs, tmp_path, capsys
):
    data = json.loads((moved / "data.json").read_text())
    del data["statistics"]
    (moved / "data.json").write_text(json.dumps(data))
    arguments = [f"run={moved}", "gpus=0", f"input={images}/test", "overlays=0"]
    call(predict, outputs, *arguments, f"output={tmp_path / 'a'}")
    assert "images=<folder>" in capsys.readouterr().out
    refused(capsys, predict, outputs, *arguments, f"images={incomplete}", f"output={tmp_path}/b")
    call(predict, outputs, *arguments, f"images={images}", f"output={tmp_path / 'b'}")
    assert "unusual images are not marked" not in capsys.readouterr().out
    image = np.full((40, 40), 255, np.uint8)
    assert not xray.load_run(moved, device="cpu").predict(image).warnings
    assert xray.load_run(moved, images=images, device="cpu").predict(image).warnings


@pytest.mark.slow
def test_all_ways_to_predict_agree(run, images, outputs, tmp_path):
    recorded = read(run / "predictions" / "test.csv")
    expected = {row["path"]: float(row["calibrated_pneumonia"]) for row in recorded}
    assert max(expected.values()) - min(expected.values()) > 0.05
    opened = xray.load_run(run, device="cpu")
    assert opened.temperature is not None
    assert opened.temperature != 1
    call(predict, outputs, f"run={run}", "gpus=0", f"input={images}/test", f"output={tmp_path}/out")
    table = read(tmp_path / "out" / "predictions.csv")
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batches = trainer.predict(opened.model, opened.data)
    in_order = [str(sample.path) for sample in opened.data.dataset("test").samples]
    found = {
        "predict": {row["path"]: (float(row["p_pneumonia"]), row["predicted"]) for row in table},
        "Run.predict": {
            str(p.path): (p.probabilities["pneumonia"], p.label)
            for p in opened.predict(images / "test")
        },
        "Trainer.predict": {
            path: (float(row[1]), opened.classes[int(k)])
            for path, row, k in zip(
                in_order,
                torch.cat([batch["probabilities"] for batch in batches]),
                torch.cat([batch["predicted"] for batch in batches]),
                strict=True,
            )
        },
    }
    predicted = {row["path"]: row["predicted"] for row in recorded}
    for name, values in found.items():
        assert values.keys() == expected.keys(), name
        for path, (probability, label) in values.items():
            assert probability == pytest.approx(expected[path], abs=1e-6), (name, path)
            assert label == predicted[path], (name, path)


@pytest.mark.slow
def test_a_run_without_a_test_has_an_operating_point(outputs, images, run):
    untested = train_run(outputs, images, "test=false")
    stored = read_identity(read_checkpoint(untested / "checkpoints" / "best.ckpt")).operating_point
    assert (
        stored == read_identity(read_checkpoint(run / "checkpoints" / "best.ckpt")).operating_point
    )
    assert stored.rule == "youden"
    assert stored.threshold not in (None, 0.5)
    assert xray.load_run(untested, device="cpu").threshold == stored.calibrated_threshold
    assert not (untested / "metrics.json").exists()
    call(evaluate, outputs, f"run={untested}", "gpus=0")
    tested, expected = (json.loads((r / "metrics.json").read_text()) for r in (untested, run))
    assert tested["test"] == expected["test"]


@pytest.mark.slow
def test_an_interrupted_run_names_the_command_that_determines_its_threshold(
    run, images, outputs, tmp_path, capsys
):
    stopped = shutil.copytree(run, tmp_path / "run")
    for name in ("metrics.json", "predictions/val.csv", "checkpoints/operating_points.json"):
        (stopped / name).unlink()
    store_operating_point(stopped / "checkpoints" / "best.ckpt", OperatingPoint())
    command = f"python -m xray.evaluate run={stopped} split=val"
    message = refused(capsys, predict, outputs, f"run={stopped}", "gpus=0", f"input={images}")
    assert command in message
    with pytest.raises(RunError, match="split=val"):
        _ = xray.load_run(stopped, device="cpu").threshold
    call(evaluate, outputs, f"run={stopped}", "gpus=0", "split=val")
    opened, original = (xray.load_run(path, device="cpu") for path in (stopped, run))
    assert opened.threshold == pytest.approx(original.threshold)
    # A number needs no images.
    store_operating_point(stopped / "checkpoints" / "best.ckpt", OperatingPoint())
    change_config(stopped, threshold="0.3")
    assert xray.load_run(stopped, device="cpu").threshold == 0.3


FREQUENT = (
    "import xray.prediction.table as table; table._CHUNK_SECONDS = 0.1; "
    "from xray import predict; predict.main()"
)
"""The command, which writes rows to the disk every 0.1 seconds."""


def kill_three_times(words, table):
    """Start the command and kill it three times when it has written rows; count rows each time."""
    counts = []
    for _ in range(3):
        size = table.stat().st_size if table.exists() else 0
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 120
        while (table.stat().st_size if table.exists() else 0) <= size:
            assert process.poll() is None, "the command ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        counts.append(len(read(table)))
    return counts


@pytest.mark.slow
def test_mixed_files_are_listed_once_after_three_kills(run, images, outputs, tmp_path):
    source, output, count = tmp_path / "in", tmp_path / "out", 400
    bad = write_mixed_files(source, count)
    shutil.copytree(images / "test", source / "labeled")
    arguments = [f"run={run}", f"paths.outputs={outputs}", "gpus=0", "overlays=2", "batch_size=4"]
    words = [sys.executable, "-c", FREQUENT, *arguments, f"input={source}", f"output={output}"]
    counts = kill_three_times(words, output / "predictions.csv")
    assert 0 < counts[0] < counts[1] < counts[2] < count
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    found = read(output / "predictions.csv")
    files = [str(path) for path in source.rglob("*") if path.is_file()]
    assert Counter(row["path"] for row in found) == Counter(files)
    assert {row["path"] for row in found if row["error"]} == set(map(str, bad))
    expected = {
        Path(row["path"]).name: float(row["calibrated_pneumonia"])
        for row in read(run / "predictions" / "test.csv")
    }
    labeled = {
        Path(row["path"]).name: float(row["p_pneumonia"])
        for row in found
        if row["path"].startswith(str(source / "labeled"))
    }
    assert labeled == pytest.approx(expected, abs=1e-6)
    written = [path for path in output.rglob("*") if path.is_file()]
    assert len(written) > 4
    assert not any(PATIENT.encode() in path.read_bytes() for path in written)
