import inspect
import io
from dataclasses import fields
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from made_images import write_image
from omegaconf import OmegaConf
from rich.console import Console
from torch.utils.data import DataLoader, TensorDataset

from xray.data.datamodule import XrayDataModule
from xray.data.partition import Rules
from xray.data.sampler import EpochSampler
from xray.data.transforms import load_transforms
from xray.errors import DataError
from xray.training.summary import data_table
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


def test_provided_splits_are_used(make_tree, transforms):
    assert counts(module(make_tree(OFFICIAL), transforms, min_val=4)) == {
        "train": 24,
        "val": 4,
        "test": 10,
    }


def test_a_small_val_folder_is_added_to_train_and_val_is_held_out(make_tree, transforms):
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


def test_the_sampler_draws_both_classes_equally_often(make_tree, transforms):
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


# Four loader processes on two cores are slow, but the result must be the same.
@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker")
def test_draws_are_the_same_for_any_number_of_workers_and_differ_by_epoch(make_tree, transforms):
    root = make_tree(OFFICIAL)
    alone, two, four = (epoch_of(module(root, transforms, workers=n), 1) for n in (0, 2, 4))
    assert alone.keys() == two.keys() == four.keys()
    assert all(torch.equal(alone[i], two[i]) and torch.equal(alone[i], four[i]) for i in alone)
    other = epoch_of(module(root, transforms), 2)
    assert not any(torch.equal(alone[i], other[i]) for i in alone)


def test_persistent_workers_use_the_next_epoch(make_tree, transforms):
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


def test_the_description_contains_counts_and_hashes(make_tree, transforms):
    root = make_tree(OFFICIAL)
    described = module(root, transforms, min_val=4).describe()
    assert described["classes"] == ["normal", "pneumonia"]
    test = described["splits"]["test"]
    assert {k: test[k] for k in ("images", "patients", "classes", "labels")} == {
        "images": 10,
        "patients": 5,
        "classes": {"normal": 4, "pneumonia": 6},
        "labels": {"Covid": 6, "NORMAL": 4},
    }
    assert module(root, transforms, min_val=4).describe() == described
    write_image(next((root / "test" / "Covid").iterdir()), size=44, seed=99)
    changed = module(root, transforms, min_val=4).describe()["splits"]
    assert changed["test"]["files_sha256"] != test["files_sha256"]
    assert changed["train"] == described["splits"]["train"]


# --- plain Lightning


def test_only_the_folder_is_required(make_tree, tmp_path):
    data = XrayDataModule(make_tree({**OFFICIAL, "val/PNEUMONIA": 4, "test/Covid": 6}))
    assert data.classes == ("normal", "pneumonia")
    batch = next(iter(DataLoader(data.dataset("test"), batch_size=2)))
    assert batch["image"].shape == (2, 1, 224, 224)


def test_the_defaults_are_those_of_the_command_line():
    saved = OmegaConf.load(Path(__file__).parents[2] / "conf/data/folder.yaml")
    parameters = inspect.signature(XrayDataModule).parameters
    defaults = {name: p.default for name, p in parameters.items()}
    rules = {field.name: field.default for field in fields(Rules)}
    # The values of the others are tested where they are defined, or depend on the configuration.
    for key in set(saved) - {"defaults", "_target_", "root", "audit_dir", "seed"}:
        assert saved[key] == {**defaults, **rules}[key], key
    assert set(rules) <= set(saved)


class Tiny(pl.LightningModule):
    """Logistic regression on pixels, which records the batches it is trained on."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(32 * 32, 2)
        self.seen = []

    def scores(self, batch):
        return self.layer(batch["image"].float().flatten(1) / 255)

    def training_step(self, batch, batch_idx):
        self.seen.append(batch["index"].tolist())
        return torch.nn.functional.cross_entropy(self.scores(batch), batch["target"])

    def validation_step(self, batch, batch_idx):
        self.scores(batch)

    def test_step(self, batch, batch_idx):
        self.scores(batch)

    def predict_step(self, batch, batch_idx):
        return self.scores(batch).softmax(1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning")
@pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval:UserWarning")
def test_fit_test_and_predict_in_plain_lightning(make_tree, transforms, tmp_path):
    root = make_tree(OFFICIAL)

    def trained():
        options = {"accelerator": "cpu", "max_epochs": 2, "logger": False}
        trainer = pl.Trainer(
            **options,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        data, network = module(root, transforms, min_val=4, seed=5), Tiny()
        trainer.fit(network, data)
        trainer.test(network, data, verbose=False)
        return network.seen, torch.cat(trainer.predict(network, data))

    seen, predicted = trained()
    assert predicted.shape == (10, 2)
    first, second = seen[:6], seen[6:]
    # Each epoch has all 24 images, in an order that depends on the seed and the epoch.
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(24))
    assert first != second
    sampler = EpochSampler(24, seed=5)
    for epoch, batches in enumerate((first, second)):
        sampler.set_epoch(epoch)
        assert list(chain(*batches)) == [index for _, index in sampler]
    assert trained()[0] == seen


def test_the_input_of_the_network_is_stored_as_plain_values(make_tree, transforms):
    state = module(make_tree(OFFICIAL), transforms).input_state()
    assert state["input_size"] == 32
    image = np.random.default_rng(0).integers(0, 255, (50, 60), dtype=np.uint8)
    restored = load_transforms(state["transforms"])
    data = module(make_tree(OFFICIAL), transforms)
    assert torch.equal(restored(image), data.evaluate(image))


def test_batch_size_and_cached_features_are_set_by_methods(make_tree, transforms):
    data = module(make_tree(OFFICIAL), transforms, min_val=4)
    data.set_batch_size(5)
    assert [len(batch["target"]) for batch in data.test_dataloader()] == [5, 5]
    cached = TensorDataset(torch.zeros(4, 3))
    data.serve_features("val", cached)
    assert dict(data.features) == {"val": cached}
    assert data.val_dataloader().dataset is cached
    with pytest.raises(TypeError):
        data.features["val"] = cached
    data.serve_images()
    assert data.val_dataloader().dataset is data.dataset("val")


# --- checks before training


def test_a_validation_split_of_one_class_is_an_error_before_training(make_tree, transforms):
    root = make_tree({"train/NORMAL": 12, "train/PNEUMONIA": 12, "val/NORMAL": 4, "test/Covid": 2})
    data = module(root, transforms, min_val=0)
    assert len(data.dataset("val")) == 4
    with pytest.raises(DataError, match=r"All 4 validation images are of class 'normal'") as caught:
        data.setup("fit")
    assert str(root / "val" / "NORMAL") in str(caught.value)
    assert "images of pneumonia" in str(caught.value)
    assert "data.min_val=5" in str(caught.value)
    module(root, transforms, min_val=5).setup("fit")


def test_a_class_missing_in_the_test_split_is_logged(make_tree, transforms, caplog):
    root = make_tree({"train/NORMAL": 12, "train/PNEUMONIA": 12, "test/Covid": 2})
    module(root, transforms).setup("fit")
    assert "No test images of class 'normal'" in caplog.text


def test_confounded_sources_are_logged(make_tree, transforms, caplog):
    root = make_tree(OFFICIAL)
    lines = ["path,patient,source"]
    for path in sorted(root.rglob("*.png")):
        source = "kermany" if "NORMAL" in path.parts else "covid_chestxray"
        lines.append(f"{path.relative_to(root).as_posix()},{path.stem[:11]},{source}")
    (root / "manifest.csv").write_text("\n".join(lines))
    module(root, transforms, min_val=4).setup("fit")
    assert "Class and age are confounded" in caplog.text
    assert "normal: kermany 100%; pneumonia: covid_chestxray 100%" in caplog.text


def test_images_outside_the_class_folders_are_an_error(make_tree, transforms):
    root = make_tree(OFFICIAL)
    write_image(root / "train" / "loose.png")
    write_image(root / "overview.png")
    with pytest.raises(DataError, match="2 images outside the class folders") as caught:
        module(root, transforms).setup()
    assert "overview.png, train/loose.png" in str(caught.value)


def test_files_that_are_not_used_are_counted(make_tree, transforms, caplog):
    root = make_tree(OFFICIAL)
    plain = module(root, transforms, min_val=4).describe()
    for name in ("lung masks/patient0000_00.png", "patient0000_00_mask.png"):
        write_image(root / "train/NORMAL" / name)
    (root / "train/NORMAL/scan.gif").write_bytes(b"GIF89a" + bytes(40))
    (root / "train/PNEUMONIA/notes.txt").write_text("read me")
    data = module(root, transforms, min_val=4)
    described = data.describe()
    assert described["splits"] == plain["splits"]
    assert described["audit"]["extraneous"] == {"masks": 2, "outside": 0, "unread": {".gif": 1}}
    assert {f.path: f.kind for f in data.certificate().findings} == {
        "train/NORMAL/lung masks/patient0000_00.png": "mask",
        "train/NORMAL/patient0000_00_mask.png": "mask",
        "train/NORMAL/scan.gif": "unread",
        "train/PNEUMONIA/notes.txt": "ignored",
    }
    assert "1 image files are not read (.gif 1)" in caplog.text
    table = Console(width=200, file=io.StringIO())
    table.print(data_table(described))
    assert "2 masks skipped, 1 image files not read (.gif 1)" in table.file.getvalue()
