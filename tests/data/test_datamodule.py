import pytest
import torch
from made_images import write_image

from xray.data.datamodule import XrayDataModule
from xray.errors import DataError
from xray.types import SPLITS

GROUPS = {"normal": [], "pneumonia": ["covid"]}
OFFICIAL = {
    "train/NORMAL": 8,
    "train/PNEUMONIA": 16,
    "val/NORMAL": 2,
    "val/PNEUMONIA": 2,
    "test/NORMAL": 4,
    "test/Covid": 6,
}


def module(root, transforms, **options):
    return XrayDataModule(
        root, GROUPS, transforms, **{"size": 32, "batch_size": 4, "workers": 0, **options}
    )


def counts(data):
    return {split: len(data.dataset(split)) for split in SPLITS}


def patients(data, split):
    return {sample.patient for sample in data.dataset(split).samples}


def test_official_splits_are_kept(make_tree, transforms):
    assert counts(module(make_tree(OFFICIAL), transforms, min_val=4)) == {
        "train": 24,
        "val": 4,
        "test": 10,
    }


def test_a_small_val_folder_joins_train_and_val_is_carved(make_tree, transforms):
    data = module(make_tree(OFFICIAL), transforms, min_val=5, val_fraction=0.25)
    found = counts(data)
    assert found["train"] + found["val"] == 28
    assert found["test"] == 10
    assert not patients(data, "train") & patients(data, "val")
    assert {sample.target for sample in data.dataset("val").samples} == {0, 1}


def test_a_flat_folder_is_split_by_patient(make_tree, transforms):
    data = module(make_tree({"normal": 20, "covid": 20}), transforms)
    found = counts(data)
    assert sum(found.values()) == 40
    assert all(found.values())
    assert not patients(data, "train") & patients(data, "test")
    assert not patients(data, "val") & patients(data, "test")


def test_a_class_without_training_images_is_an_error(make_tree, transforms):
    data = module(
        make_tree({"train/normal": 6, "test/normal": 2, "test/covid": 2}), transforms, min_val=0
    )
    with pytest.raises(DataError, match=r"'pneumonia' has no training image.*covid, pneumonia"):
        data.setup()


def test_class_weights_are_n_over_k_n_k(make_tree, transforms):
    root = make_tree(OFFICIAL)
    assert module(root, transforms, min_val=4).class_weights() == [24 / (2 * 8), 24 / (2 * 16)]
    assert module(root, transforms, min_val=4, balance="none").class_weights() is None


def test_sampler_draws_both_classes_alike(make_tree, transforms):
    data = module(make_tree(OFFICIAL), transforms, min_val=4, balance="sampler")
    targets = []
    for epoch in range(20):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        targets += [data.dataset("train").samples[i].target for _, i in loader.sampler]
    assert 0.4 < sum(targets) / len(targets) < 0.6


def epoch_of(data, epoch):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return {
        int(i): image
        for batch in loader
        for i, image in zip(batch["index"], batch["image"], strict=True)
    }


# Four loaders on two cores are slow, not wrong.
@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker")
def test_draws_are_the_same_for_any_number_of_workers_and_differ_by_epoch(make_tree, transforms):
    root = make_tree(OFFICIAL)
    alone, two, four = (epoch_of(module(root, transforms, workers=n), 1) for n in (0, 2, 4))
    assert alone.keys() == two.keys() == four.keys()
    assert all(torch.equal(alone[i], two[i]) and torch.equal(alone[i], four[i]) for i in alone)
    other = epoch_of(module(root, transforms), 2)
    assert not any(torch.equal(alone[i], other[i]) for i in alone)


def test_workers_that_outlive_an_epoch_learn_the_next(make_tree, transforms):
    loader = module(make_tree(OFFICIAL), transforms, workers=2).train_dataloader()
    epochs = []
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        epochs.append(
            {int(i): x for b in loader for i, x in zip(b["index"], b["image"], strict=True)}
        )
    assert not any(torch.equal(epochs[0][i], epochs[1][i]) for i in epochs[0])


def test_a_last_batch_of_one_is_dropped(make_tree, transforms):
    data = module(make_tree(OFFICIAL), transforms, min_val=4, batch_size=23)
    assert [len(batch["target"]) for batch in data.train_dataloader()] == [23]


def test_evaluation_is_in_order_and_not_augmented(make_tree, transforms):
    data = module(make_tree(OFFICIAL), transforms)
    (first, *_), (again, *_) = list(data.test_dataloader()), list(data.test_dataloader())
    assert first["index"].tolist() == [0, 1, 2, 3]
    assert torch.equal(first["image"], again["image"])
    assert torch.equal(first["image"][2], data.dataset("test").pixels(2))


def test_description_counts_and_hashes(make_tree, transforms):
    root = make_tree(OFFICIAL)
    told = module(root, transforms, min_val=4).describe()
    assert told["classes"] == ["normal", "pneumonia"]
    test = told["splits"]["test"]
    assert {k: test[k] for k in ("images", "patients", "classes", "labels")} == {
        "images": 10,
        "patients": 5,
        "classes": {"normal": 4, "pneumonia": 6},
        "labels": {"Covid": 6, "NORMAL": 4},
    }
    assert module(root, transforms, min_val=4).describe() == told
    write_image(next((root / "test" / "Covid").iterdir()), size=44, seed=99)
    changed = module(root, transforms, min_val=4).describe()["splits"]
    assert changed["test"]["files_sha256"] != test["files_sha256"]
    assert changed["train"] == told["splits"]["train"]
