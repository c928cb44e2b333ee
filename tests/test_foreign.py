"""Subclasses, foreign models and foreign data modules in all commands."""

import csv
import json
from functools import partial

import pytest
import torch
from commands import run_below
from foreign import CLASSES, PngFolder
from made_images import write_image

import xray
from xray import evaluate, gradcam, predict, report, shortcuts, train
from xray.model.checkpoint import load_model

COUNTS = {"train": 6, "val": 4, "test": 4}
TINY = [
    "data=folder",
    "data.size=32",
    "data.batch_size=4",
    "data.workers=0",
    "data.min_val=0",
    "trainer=cpu",
    "trainer.precision=32-true",
    "trainer.max_epochs=2",
    "callbacks.gradcam.n=2",
    "callbacks.gradcam.scorecard=0",
    "~callbacks.progress",
    "logger=csv",
]
MODELS = {
    "subclass": [
        "model._target_=models.Focal",
        "model.weights=random",
        "model.head.hidden=[4]",
        "+model.gamma=1.0",
    ],
    "foreign model": ["~model", "+model._target_=foreign.TinyNet", "+model.width=3", "tag=tiny"],
    "foreign data": [
        "data._target_=foreign.Squares",
        "model.weights=random",
        "model.head.hidden=[4]",
    ],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root, seed = tmp_path_factory.mktemp("set"), 0
    for split, count in COUNTS.items():
        for name, level in zip(CLASSES, (90, 150), strict=True):
            for i in range(count):
                path = root / split / name / f"{split}{name}{i}_0.png"
                write_image(path, level=level, size=32, seed=(seed := seed + 1))
    return root


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Return a function that runs a command and returns the newest training run."""
    return partial(run_below, tmp_path_factory.mktemp("outputs"))


@pytest.mark.parametrize("kind", MODELS)
def test_every_command_gives_the_numbers_of_a_plain_loop(call, root, kind):
    run = call(train, *TINY, f"data.root={root}", *MODELS[kind])
    trained = json.loads((run / "metrics.json").read_text())
    named = [f"run={run}", "trust=true"]
    call(evaluate, *named, "gpus=0", "split=test")
    call(gradcam, *named, "n=2")
    call(shortcuts, *named, "gpus=0", "split=test")
    call(report, f"run={run}")
    assert json.loads((run / "metrics.json").read_text())["test"] == trained["test"]

    model = load_model(run / "checkpoints" / "best.ckpt", trust=True).eval()
    images = PngFolder(root, "test")
    with torch.no_grad():
        expected = {
            str(sample.path): model(images[i]["image"][None]).softmax(dim=1)[0].tolist()
            for i, sample in enumerate(images.samples)
        }
    with (run / "predictions" / "test.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows} == expected.keys()
    for row in rows:
        found = [float(row[f"p_{name}"]) for name in CLASSES]
        assert found == pytest.approx(expected[row["path"]], abs=1e-6)
    correct = sum(
        CLASSES[int(expected[str(s.path)][1] > 0.5)] == CLASSES[s.target] for s in images.samples
    )
    assert trained["test"]["accuracy"]["value"] == pytest.approx(correct / len(images))
    call(predict, *named, "gpus=0", f"input={root / 'test'}", "overlays=2", "batch_size=3")
    (output,) = (run / "predict").iterdir()
    with (output / "predictions.csv").open(newline="") as file:
        new = {row["path"]: row for row in csv.DictReader(file)}
    opened = xray.load_run(run, trust=True, device="cpu")
    assert new.keys() == expected.keys()
    for row in rows:
        calibrated = float(row["calibrated_pneumonia"])
        assert float(new[row["path"]]["p_pneumonia"]) == pytest.approx(calibrated, abs=1e-6)
        assert new[row["path"]]["predicted"] == row["predicted"]
        assert opened.predict(row["path"]).label == row["predicted"]
    assert len(list((output / "overlays").iterdir())) == 2
    assert opened.heatmap(rows[0]["path"]).shape == (32, 32)
    for file in ("gradcam/test/index.csv", "shortcuts.json", "report.html"):
        assert (run / file).is_file()


@pytest.mark.parametrize("size", [32, 48])
def test_new_images_are_transformed_as_the_data_module_states(call, root, tmp_path, capsys, size):
    options = [*TINY, f"data.root={root}", *MODELS["foreign data"], "~callbacks.gradcam"]
    resized = call(train, *options, "data._target_=foreign.Resized", "test=false")
    unchanged = call(train, *options, "test=false")
    file = write_image(tmp_path / "new.png", size=size)
    opened = xray.load_run(resized, trust=True, device="cpu")
    assert opened.predict(file).size == (size, size)
    words = [f"run={unchanged}", "trust=true", "gpus=0", f"input={file}", "overlays=0"]
    if size == 32:
        call(predict, *words)
        return
    with pytest.raises(SystemExit):
        call(predict, *words)
    assert "eval_transforms" in capsys.readouterr().err


def test_transforms_of_a_data_module_are_checked(call, root, capsys):
    options = [*TINY, f"data.root={root}", *MODELS["foreign data"]]
    with pytest.raises(SystemExit):
        call(train, *options, "data._target_=foreign.WrongTransforms")
    error = capsys.readouterr().err
    assert "eval_transforms of the data module WrongTransforms" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", [evaluate, gradcam, shortcuts])
def test_foreign_classes_require_trust(call, root, command, capsys):
    run = call(train, *TINY, f"data.root={root}", *MODELS["foreign model"], "~callbacks.gradcam")
    with pytest.raises(SystemExit):
        call(command, f"run={run}")
    assert "trust=true" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (
            ["~model", "+model._target_=foreign.Incomplete", "tag=x"],
            ["Incomplete", "classes", "forward", "training_step", "validation_step"],
        ),
        (
            ["~model", "+model._target_=foreign.Unsaved", "tag=x"],
            ["Unsaved", "classes", "save_hyperparameters"],
        ),
        (
            ["data._target_=foreign.NoDataset", "model.weights=random"],
            ["NoDataset", "dataset", "val_dataloader"],
        ),
    ],
)
def test_missing_members_are_named_before_the_run(call, root, overrides, named, capsys):
    with pytest.raises(SystemExit):
        call(train, *TINY, f"data.root={root}", *overrides)
    error = capsys.readouterr().err
    assert all(name in error for name in [*named, "docs/extending.md"])
    assert "Traceback" not in error


def test_foreign_model_with_batches_of_one_image(call, root):
    options = [*TINY, "data.batch_size=1", "~callbacks.gradcam", "test=false"]
    run = call(train, *options, f"data.root={root}", *MODELS["foreign model"])
    assert (run / "checkpoints" / "best.ckpt").is_file()
