"""The cache in complete runs, through the real entry points."""

import json
import sys

import pytest
import torch
from made_images import write_image

from xray import evaluate, gradcam, shortcuts, train
from xray.data import dataset as dataset_module

TREE = {"train": 8, "val": 3, "test": 3}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that trains on small images and returns the run directory."""
    for split, count in TREE.items():
        for label, level in (("normal", 90), ("covid", 150)):
            for i in range(count):
                path = tmp_path / "set" / split / label / f"patient{label}{split}{i}_0.png"
                write_image(path, level=level, size=100, seed=level + 10 * len(split) + i)
    common = [f"data.root={tmp_path / 'set'}", f"paths.outputs={tmp_path / 'out'}", "data=folder"]
    common += ["data.size=96", "data.batch_size=8", "data.min_val=0", "transform=none"]
    common += ["model.weights=random", "model.head.hidden=[]", "model.head.dropout=0"]
    common += ["trainer=cpu", "trainer.max_epochs=2", "callbacks=checkpoint", "logger=none"]

    def trained(*arguments):
        monkeypatch.setattr(sys, "argv", ["train", *common, *arguments])
        train.main()
        return max((tmp_path / "out" / "train").iterdir(), key=lambda path: path.stat().st_mtime)

    return trained


def last(directory):
    return torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.slow
def test_cached_run_equals_an_uncached_run(run, tmp_path):
    precision = "trainer.precision=32-true"
    cached = run("cache=only", "data.workers=1", precision)
    uncached = run("cache=off", "data.workers=0", precision, "tag=uncached")
    assert cached != uncached
    one, other = last(cached), last(uncached)
    for key in one:
        assert torch.allclose(one[key], other[key], rtol=1e-3, atol=1e-5), key
    metrics = [json.loads((path / "metrics.json").read_text()) for path in (cached, uncached)]
    for split in ("val", "test"):
        for name in ("auroc", "accuracy"):
            assert metrics[0][split][name]["value"] == metrics[1][split][name]["value"]
    # At 96 px the maps are 3 x 3, so averages and maxima are smaller.
    (array,) = (tmp_path / "out" / "cache" / "features").glob("train_*.npy")
    assert array.stat().st_size == 128 + 16 * 1024 * 4


@pytest.mark.slow
def test_test_split_is_not_computed_without_testing(run, tmp_path):
    run("cache=only", "test=false")
    made = (tmp_path / "out" / "cache" / "features").glob("*.npy")
    assert {path.name.split("_")[0] for path in made} == {"train", "val"}


@pytest.mark.slow
def test_mode_only_fails_if_nothing_is_frozen(run, capsys):
    with pytest.raises(SystemExit) as stop:
        run("cache=only", "model.trainable=all")
    assert stop.value.code == 1
    assert "cache.mode is 'only', but no block of the backbone is frozen" in capsys.readouterr().err


@pytest.mark.slow
def test_run_from_decoded_images_equals_a_run_from_files(run, tmp_path, monkeypatch):
    options = ("cache=off", "data.workers=0", "transform=light", "trainer.max_epochs=1")
    files = run(*options, "cache.pixels=off", "tag=files")
    folder = tmp_path / "out" / "cache" / "features"
    assert not folder.exists()
    mapped = run(*options)
    made = {path.name.rpartition("_")[0] for path in folder.glob("*.npy")}
    assert made == {"pixels_train", "pixels_val", "pixels_test"}
    one, other = last(files), last(mapped)
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert (files / "metrics.json").read_text() == (mapped / "metrics.json").read_text()

    def read(path):
        raise AssertionError(path)

    # Later commands read no file either.
    monkeypatch.setattr(dataset_module, "read_image", read)
    for verb, more in ((evaluate, "gpus=0"), (shortcuts, "gpus=0"), (gradcam, "n=2")):
        argv = [verb.__name__, f"run={mapped}", f"paths.outputs={tmp_path / 'out'}", more]
        monkeypatch.setattr(sys, "argv", argv)
        verb.main()
    assert len(list(folder.glob("*.npy"))) == 3
