from collections import namedtuple
from contextlib import nullcontext

import pytest
import torch

from xray.data.datamodule import XrayDataModule
from xray.errors import ConfigError
from xray.features.cache import FeatureCache
from xray.model.classifier import XrayClassifier

TREE = {
    f"{split}/{label}": 4 for split in ("train", "val", "test") for label in ("normal", "covid")
}


@pytest.fixture
def data(make_tree, transforms):
    return build(make_tree(TREE), transforms)


def build(root, transforms, **options):
    groups = {"normal": [], "covid": []}
    return XrayDataModule(
        root, groups, transforms, size=32, batch_size=4, workers=0, min_val=0, **options
    )


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return XrayClassifier(
        backbone="vgg16",
        classes=["normal", "covid"],
        head={"pooling": "avg", "norm": "none", "hidden": [], "dropout": 0.0},
        optim={},
        trainable="block5",
    ).eval()


def cache(folder, **options):
    settings = {
        "mode": "auto",
        "views": 2,
        "max_gb": 1.0,
        "device": torch.device("cpu"),
        "context": nullcontext,
    }
    return FeatureCache(folder=folder, **{**settings, **options})


def test_cached_batches_are_what_the_prefix_computes(tmp_path, model, data):
    uncached = next(iter(data.val_dataloader()))
    cache(tmp_path / "cache").attach(model, data)
    cached = next(iter(data.val_dataloader()))
    assert torch.equal(cached["target"], uncached["target"])
    with torch.no_grad():
        assert torch.equal(cached["features"], model.to_cut(uncached["image"]))


def test_an_epoch_trains_on_the_draw_that_it_would_have_seen(tmp_path, model, data):
    cache(tmp_path / "cache").attach(model, data)
    features, pixels = data.features["train"], data.dataset("train")
    with torch.no_grad():
        for epoch in (0, 1):
            expected = model.to_cut(torch.stack([pixels.augmented(i, epoch) for i in range(8)]))
            got = features.__getitems__([(epoch, i) for i in range(8)])["features"]
            assert torch.allclose(got, expected, atol=1e-6)
            assert torch.equal(features.__getitems__([(epoch + 2, 3)])["features"][0], got[3])
    assert (features.array[0] != features.array[1]).any()


def test_a_second_run_computes_nothing_and_a_change_computes_anew(
    tmp_path, model, make_tree, transforms
):
    root, folder = make_tree(TREE), tmp_path / "cache"
    cache(folder).attach(model, build(root, transforms))
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    cache(folder).attach(model, build(root, transforms))
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    other = {**transforms, "train": transforms["train"][:2]}
    cache(folder).attach(model, build(root, other))
    new = {path.name for path in folder.iterdir()} - before.keys()
    assert {name.split("_")[0] for name in new} == {"train"}


def test_one_view_of_another_seed_is_another_draw(tmp_path, model, make_tree, transforms):
    root, arrays = make_tree(TREE), []
    for seed in (0, 1):
        data = build(root, transforms, seed=seed)
        cache(tmp_path / "cache", views=1).attach(model, data)
        arrays.append(data.features["train"].array)
        assert data.features["val"].array.shape[0] == 1
    assert (arrays[0] != arrays[1]).any()
    assert len(list((tmp_path / "cache").glob("train_*.npy"))) == 2
    assert len(list((tmp_path / "cache").glob("val_*.npy"))) == 1


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_in_the_mode_it_was_in(tmp_path, model, data, training):
    model.train(training)
    cache(tmp_path / "cache").attach(model, data)
    assert model.head.training is training
    model.eval()


def test_a_full_disk_is_said_before_the_fill(tmp_path, model, data, monkeypatch, caplog):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("xray.features.cache.shutil.disk_usage", lambda path: usage(100))
    with caplog.at_level("INFO"):
        cache(tmp_path / "cache").attach(model, data)
    assert data.features == {}
    assert "0.0 GiB are free" in caplog.text


def test_without_augmentation_one_view_is_enough(tmp_path, model, make_tree, transforms):
    data = build(make_tree(TREE), {**transforms, "train": transforms["eval"]})
    cache(tmp_path / "cache").attach(model, data)
    assert data.features["train"].array.shape[0] == 1


@pytest.mark.parametrize(
    ("options", "reason"), [({"max_gb": 1e-9}, r"cache\.max_gb=1e-09"), ({}, "nothing")]
)
def test_where_there_can_be_no_cache_auto_goes_on_and_only_fails(
    tmp_path, data, model, options, reason, monkeypatch
):
    if not options:
        monkeypatch.setattr(model, "cut", 0)
    cache(tmp_path, **options).attach(model, data)
    assert data.features == {}
    with pytest.raises(ConfigError, match=reason):
        cache(tmp_path, mode="only", **options).attach(model, data)


def test_off_never_caches(tmp_path, model, data):
    cache(tmp_path / "cache", mode="off").attach(model, data)
    assert data.features == {}
    assert not (tmp_path / "cache").exists()


def test_an_interrupted_fill_is_not_taken_for_a_finished_one(tmp_path, model, data, monkeypatch):
    calls = []

    def stop(*args):
        calls.append(args)
        raise KeyboardInterrupt

    monkeypatch.setattr("xray.features.store.FeatureWriter.write", stop)
    with pytest.raises(KeyboardInterrupt):
        cache(tmp_path / "cache").attach(model, data)
    assert len(calls) == 1
    assert list((tmp_path / "cache").iterdir()) == []
