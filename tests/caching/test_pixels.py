"""Decoded images in a memory map: the pixels of the files, read once."""

import errno
import logging
import os
import pickle
from collections import Counter
from pathlib import Path

import albumentations as A
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from made_images import write_image
from PIL import Image
from small_cache import TREE, arrays, build, cache, classifier, damage_bytes, truncate

from xray.build import build_data
from xray.caching.entry import list_entries
from xray.caching.folder import CacheFolder
from xray.caching.pixels import PixelCache
from xray.config import CONF_DIR, prepare_environment
from xray.data import dataset as dataset_module
from xray.saliency.masks import mask_of
from xray.saliency.occlusion import OccludedDataset
from xray.types import SPLITS


def pixel_cache(folder: Path, mode: str = "auto", max_gb: float = 1.0) -> PixelCache:
    return PixelCache(folder, mode, max_gb)


@pytest.fixture
def reads(monkeypatch) -> Counter:
    """Count the reads of each file in this process."""
    counts: Counter = Counter()
    read = dataset_module.read_image

    def counted(path):
        counts[path] += 1
        return read(path)

    monkeypatch.setattr(dataset_module, "read_image", counted)
    return counts


def everything(data) -> dict[object, torch.Tensor]:
    """Return each image as served for evaluation and in two epochs of training."""
    served = {}
    for split in SPLITS:
        dataset = data.dataset(split)
        for i in range(len(dataset)):
            served[split, i] = dataset[i]["image"]
            for epoch in (0, 3):
                served[split, i, epoch] = dataset[epoch, i]["image"]
    return served


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("transform", ["none", "light", "strong"])
def test_augmentations_equal_those_of_the_files(tmp_path, make_tree, transform):
    prepare_environment()
    overrides = [f"data.root={make_tree(TREE)}", "data=folder", "data.size=32", "data.min_val=0"]
    overrides += ["data.workers=0", "data.audit_dir=null", f"transform={transform}"]
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        cfg = compose("train", overrides)
    files, mapped = build_data(cfg), build_data(cfg)
    pixel_cache(tmp_path / "cache").attach(mapped)
    assert len(arrays(tmp_path / "cache")) == 3
    expected = everything(files)
    assert same(everything(mapped), expected)
    drawn = torch.equal(expected["train", 0, 0], expected["train", 0, 3])
    assert drawn == (transform == "none")


def test_letterbox_is_two_shared_steps(tmp_path, make_tree, reads):
    root = make_tree(TREE)
    for path in root.glob("*/covid/*"):
        Image.open(path).crop((0, 0, 40, 34)).save(path)
    box = [A.LongestMaxSize(32), A.PadIfNeeded(32, 32)]
    lists = {"train": [*box, A.Affine(rotate=(-9, 9)), A.GaussNoise(p=0.5)], "eval": box}
    files, mapped = build(root, lists), build(root, lists)
    pixel_cache(tmp_path / "cache").attach(mapped)
    reads.clear()
    got = everything(mapped)
    assert not reads
    assert same(got, everything(files))


def test_each_file_is_read_once_in_many_epochs_and_runs(tmp_path, make_tree, transforms, reads):
    root = make_tree(TREE)
    for _ in range(2):
        data = build(root, transforms)
        pixel_cache(tmp_path / "cache").attach(data)
        loader = data.train_dataloader()
        for epoch in range(3):
            loader.sampler.set_epoch(epoch)
            assert sum(len(batch["image"]) for batch in loader) == 8
        assert sum(len(batch["image"]) for batch in data.val_dataloader()) == 8
        pixel_cache(tmp_path / "cache").attach(data)
    assert len(reads) == 24
    assert set(reads.values()) == {1}


def test_loader_processes_share_the_map(tmp_path, make_tree, transforms):
    root = make_tree(TREE)
    files, mapped = build(root, transforms), build(root, transforms, workers=2)
    pixel_cache(tmp_path / "cache").attach(mapped)
    loader = mapped.train_dataloader()
    loader.sampler.set_epoch(5)
    served = {int(i): x for b in loader for i, x in zip(b["index"], b["image"], strict=True)}
    assert len(served) == 8
    for i, image in served.items():
        assert torch.equal(image, files.dataset("train").augmented(i, 5))


def test_pickled_split_opens_the_map_again(tmp_path, make_tree, transforms):
    data = build(make_tree(TREE), transforms)
    pixel_cache(tmp_path / "cache").attach(data, ["val"])
    split = data.dataset("val")
    sent = pickle.dumps(split.stored)
    assert len(sent) < 500 < len(split) * 32 * 32
    copy = pickle.loads(sent)
    assert (copy[3] == split.stored[3]).all()
    image = copy[3]
    image[:] = 0
    assert copy[3].any()


def test_occluded_images_come_from_the_map(tmp_path, make_tree, transforms, reads):
    data = build(make_tree(TREE), transforms)
    pixel_cache(tmp_path / "cache").attach(data, ["test"])
    reads.clear()
    inverted = OccludedDataset(data.dataset("test"), lambda image, _: 255 - image, masked=False)
    assert torch.equal(inverted.pixels(2), 255 - data.dataset("test").pixels(2))
    assert not reads


def test_masks_are_resized_like_the_images(tmp_path, make_tree, transforms):
    root = make_tree(TREE)
    path = next((root / "test").rglob("*.png"))
    mask = root / "masks" / "lung" / path.relative_to(root)
    mask.parent.mkdir(parents=True)
    # The mask has the size of the file and marks its left half; the map is smaller.
    Image.fromarray(np.repeat([[255, 0]], 40, axis=0).repeat(20, axis=1).astype(np.uint8)).save(
        mask
    )
    data = build(root, transforms)
    pixel_cache(tmp_path / "cache").attach(data, ["test"])
    dataset = data.dataset("test")
    index = [sample.path for sample in dataset.samples].index(path)
    plain = OccludedDataset(dataset, lambda image, lungs: image * lungs, masked=True)
    for split in (dataset, plain):
        lungs = mask_of(split, index, "lung")
        assert lungs.shape == (32, 32)
        assert lungs[:, :16].all()
        assert not lungs[:, 16:].any()
    assert not plain.pixels(index)[0, :, 16:].any()


def test_changed_file_is_read_again(tmp_path, make_tree, transforms, reads):
    root = make_tree(TREE)
    pixel_cache(tmp_path / "cache").attach(build(root, transforms))
    write_image(next((root / "val" / "covid").iterdir()), level=30, seed=99)
    reads.clear()
    data = build(root, transforms)
    pixel_cache(tmp_path / "cache").attach(data)
    assert {path.parent.parent.name for path in reads} == {"val"}
    assert len(arrays(tmp_path / "cache")) == 4
    assert same(everything(data), everything(build(root, transforms)))


def test_only_the_shared_steps_determine_the_map(tmp_path, make_tree, transforms):
    root, folder = make_tree(TREE), tmp_path / "cache"
    lists = (
        transforms,
        {**transforms, "train": transforms["eval"]},
        {key: [A.Resize(32, 32, interpolation=3), *steps[1:]] for key, steps in transforms.items()},
    )
    for steps, count in zip(lists, (1, 1, 2), strict=True):
        pixel_cache(folder).attach(build(root, steps), ["train"])
        assert len(arrays(folder)) == count


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (damage_bytes, "is damaged: block 0 does not match its checksum"),
        (truncate, "cannot be read ("),
    ],
)
def test_damaged_map_is_never_used(tmp_path, make_tree, transforms, harm, fault, caplog):
    root, folder = make_tree(TREE), tmp_path / "cache"
    pixel_cache(folder).attach(build(root, transforms))
    (path,) = folder.glob("pixels_val_*.npy")
    good = arrays(folder)
    harm(path)
    data = build(root, transforms)
    pixel_cache(folder).attach(data)
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert line.startswith(f"{path} {fault}")
    assert line.endswith(". It is computed again.")
    assert arrays(folder) == good
    assert same(everything(data), everything(build(root, transforms)))


def test_record_of_other_pixels_is_rejected(tmp_path, make_tree, transforms, caplog):
    root, folder = make_tree(TREE), tmp_path / "cache"
    pixel_cache(folder).attach(build(root, transforms), ["val"])
    (entry,) = list_entries(folder)
    entry.record.write_text(entry.record.read_text().replace('"size": 32', '"size": 33'))
    pixel_cache(folder).attach(build(root, transforms), ["val"])
    assert (
        f"{entry.array} contains different pixels than its name states. It is computed again."
        in caplog.text
    )


def test_folder_that_cannot_be_created_falls_back_to_files(tmp_path, make_tree, transforms, caplog):
    (tmp_path / "mine").write_text("mine")
    root = make_tree(TREE)
    data = build(root, transforms)
    pixel_cache(tmp_path / "mine").attach(data)
    message = "train, val, test: no cache of decoded images, files are read in every epoch: "
    assert f"{message}{tmp_path / 'mine'} cannot be written" in caplog.text
    assert same(everything(data), everything(build(root, transforms)))


def test_map_that_does_not_fit_falls_back_to_files(tmp_path, make_tree, transforms, caplog):
    data = build(make_tree(TREE), transforms)
    pixel_cache(tmp_path / "cache", max_gb=1e-6).attach(data)
    assert "it needs 0.0 MiB, but cache.max_gb is 1e-06" in caplog.text
    assert data.dataset("train").stored is None


def test_full_disk_keeps_finished_maps(tmp_path, make_tree, transforms, monkeypatch, caplog):
    sync, left = os.fsync, [4]

    def fsync(descriptor: int) -> None:
        # A map is synchronized three times: array, journal, record.
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    root = make_tree(TREE)
    data = build(root, transforms)
    monkeypatch.setattr("os.fsync", fsync)
    pixel_cache(tmp_path / "cache").attach(data)
    message = "val, test: no cache of decoded images, files are read in every epoch: the disk of "
    assert f"{message}{tmp_path / 'cache'} is full" in caplog.text
    assert [split for split in SPLITS if data.dataset(split).stored is not None] == ["train"]
    assert same(everything(data), everything(build(root, transforms)))


@pytest.mark.parametrize(
    "lists",
    [
        {"train": [A.Rotate(), A.Resize(32, 32)], "eval": [A.Resize(32, 32)]},
        {"train": [A.RandomCrop(32, 32)], "eval": [A.RandomCrop(32, 32)]},
        {"train": [A.Resize(32, 32, p=0.5)] * 2, "eval": [A.Resize(32, 32, p=0.5)] * 2},
    ],
)
def test_transforms_without_shared_steps_have_no_map(tmp_path, make_tree, lists, caplog):
    data = build(make_tree(TREE), lists)
    with caplog.at_level("INFO"):
        pixel_cache(tmp_path / "cache").attach(data)
    message = (
        "train, val, test: no cache of decoded images, files are read in every epoch: transform."
    )
    (record,) = [r for r in caplog.records if r.getMessage().startswith(message)]
    assert record.levelno == logging.INFO
    assert "do not start with the same deterministic steps" in record.getMessage()
    assert not (tmp_path / "cache").exists()


def test_other_data_module_reads_its_own_images(tmp_path, caplog):
    class Foreign(pl.LightningDataModule):
        pass

    with caplog.at_level("INFO"):
        pixel_cache(tmp_path / "cache").attach(Foreign())
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("no cache of decoded images, files are read in every epoch: Foreign has")
    assert not (tmp_path / "cache").exists()


def test_mode_off_writes_nothing(tmp_path, make_tree, transforms):
    data = build(make_tree(TREE), transforms)
    pixel_cache(tmp_path / "cache", "off").attach(data)
    assert data.dataset("train").stored is None
    assert not (tmp_path / "cache").exists()


def test_splits_served_as_activations_have_no_map(tmp_path, make_tree, transforms, reads):
    folder, data = tmp_path / "cache", build(make_tree(TREE), transforms)
    cache(folder).attach(classifier("block5"), data, ["train"])
    pixel_cache(folder).attach(data)
    assert {entry.name.rpartition("_")[0] for entry in list_entries(folder)} == {
        "train", "pixels_val", "pixels_test",
    }  # fmt: skip
    # Each training image was read twice for its two views.
    assert sorted(reads.values()) == [1] * 16 + [2] * 8


def test_without_fill_only_existing_maps_are_used(tmp_path, make_tree, transforms):
    root, folder = make_tree(TREE), tmp_path / "cache"
    data = build(root, transforms)
    pixel_cache(folder).attach(data, fill=False)
    assert not folder.exists()
    pixel_cache(folder).attach(build(root, transforms), ["val"])
    pixel_cache(folder).attach(data, fill=False)
    assert [split for split in SPLITS if data.dataset(split).stored is not None] == ["val"]
    assert len(list_entries(folder)) == 1


def test_map_in_use_is_not_removed(tmp_path, make_tree, transforms):
    data = build(make_tree(TREE), transforms)
    pixel_cache(tmp_path / "cache").attach(data, ["val"])
    entries = list_entries(tmp_path / "cache")
    assert CacheFolder(tmp_path / "cache", 1).clear(entries) == entries
    data.dataset("val").stored = None
    assert CacheFolder(tmp_path / "cache", 1).clear(entries) == []


def test_interrupted_fill_is_continued(tmp_path, make_tree, transforms, reads, monkeypatch, caplog):
    monkeypatch.setattr("xray.caching.fill.BLOCK", 2)
    root, folder = make_tree(TREE), tmp_path / "cache"
    counted = dataset_module.read_image

    def stop(path):
        if len(reads) == 5:
            raise KeyboardInterrupt
        return counted(path)

    with monkeypatch.context() as patch:
        patch.setattr(dataset_module, "read_image", stop)
        with pytest.raises(KeyboardInterrupt):
            pixel_cache(folder).attach(build(root, transforms), ["val"])
    assert arrays(folder) == {}
    data = build(root, transforms)
    with caplog.at_level("INFO"):
        pixel_cache(folder).attach(data, ["val"])
    assert "val: continuing an interrupted cache, 4 of 8 done" in caplog.text
    # One image of the interrupted block is read again.
    assert sorted(reads.values()) == [1] * 7 + [2]
    assert same(everything(data), everything(build(root, transforms)))


def test_map_that_cannot_be_read_back_falls_back_to_files(
    tmp_path, make_tree, transforms, monkeypatch, caplog
):
    root = make_tree(TREE)
    data = build(root, transforms)
    monkeypatch.setattr("xray.caching.fill.open_checked", lambda entry, expected: (None, ""))
    pixel_cache(tmp_path / "cache").attach(data, ["val"])
    assert "val: no cache of decoded images, files are read in every epoch: " in caplog.text
    assert "does not contain the data just written to it" in caplog.text
    assert same(everything(data), everything(build(root, transforms)))
