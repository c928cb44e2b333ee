import os
import sys
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from models import Focal

from xray.errors import ConfigError, RunError
from xray.model.checkpoint import load_model, read_checkpoint, read_identity, store_operating_point
from xray.model.classifier import XrayClassifier
from xray.model.operating_point import OperatingPoint

POINT = OperatingPoint("youden", 0.25, 1.5)
IMAGE = torch.arange(32 * 32, dtype=torch.float32).reshape(1, 1, 32, 32) / 1023
OPTIONS = {"classes": ["a", "b"], "head": {"hidden": []}, "weights": "random"}


def save(model, path):
    trainer = pl.Trainer(
        logger=False, enable_checkpointing=False, barebones=True, accelerator="cpu"
    )
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def focal(tmp_path_factory):
    model = Focal(gamma=1.5, **OPTIONS).eval()
    model.set_operating_point(POINT)
    model.set_preprocessing(32, {"size": 32, "steps": []})
    return model, save(model, tmp_path_factory.mktemp("focal") / "best.ckpt")


def test_subclass_is_restored_as_that_subclass(focal):
    model, path = focal
    restored = load_model(path, trust=True)
    assert type(restored) is Focal
    assert restored.gamma == 1.5
    assert restored.operating_point == POINT
    assert (restored.input_size, restored.transforms) == (32, {"size": 32, "steps": []})
    assert restored.hparams["weights_source"] == "random"
    expected = model.predict_probabilities(IMAGE)
    assert torch.equal(restored.predict_probabilities(IMAGE), expected)
    notebook = Focal.load_from_checkpoint(path, weights_only=True)
    assert torch.equal(notebook.predict_probabilities(IMAGE), expected)


def test_foreign_class_requires_trust(focal):
    with pytest.raises(RunError, match=r"best\.ckpt uses models:Focal.*pass trust=true"):
        load_model(focal[1])


def test_foreign_loss_requires_trust(tmp_path):
    loss = {"_target_": "models.FocalLoss"}
    path = save(XrayClassifier(loss=loss, **OPTIONS), tmp_path / "best.ckpt")
    with pytest.raises(RunError, match=r"models\.FocalLoss.*trust=true"):
        load_model(path)
    assert load_model(path, trust=True).hparams["loss"] == loss


def test_losses_of_torch_are_trusted(tmp_path):
    loss = {"_target_": "torch.nn.CrossEntropyLoss", "label_smoothing": 0.1}
    path = save(XrayClassifier(loss=loss, **OPTIONS), tmp_path / "best.ckpt")
    assert type(load_model(path)) is XrayClassifier


def test_untrusted_class_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": {}, "xray": {"model_class": "evil:Model"}}, path)
    with pytest.raises(RunError, match="evil:Model"):
        load_model(path)
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere:Model", "nowhere:Model, which cannot be imported.*Python path"),
        ("pathlib:Path", "pathlib:Path, which is not a LightningModule"),
    ],
)
def test_class_that_cannot_be_used(tmp_path, name, message):
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": {}, "xray": {"model_class": name}}, path)
    with pytest.raises(RunError, match=message):
        load_model(path, trust=True)


@pytest.mark.parametrize("content", [b"half", b""])
def test_damaged_checkpoint(tmp_path, content):
    path = tmp_path / "best.ckpt"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"best\.ckpt is not a readable checkpoint.*Train again"):
        load_model(path)


def test_operating_point_is_stored_atomically(focal, tmp_path, monkeypatch):
    path = tmp_path / "best.ckpt"
    path.write_bytes(Path(focal[1]).read_bytes())
    os.utime(path, (1e9, 1e9))
    size = path.stat().st_size
    point = OperatingPoint("sens@0.95", 0.125, None)
    store_operating_point(path, point)
    assert read_identity(read_checkpoint(path)).operating_point == point
    # The best checkpoint's time is that of the training.
    assert path.stat().st_mtime == 1e9
    assert path.stat().st_size == pytest.approx(size, rel=1e-3)
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(OSError("full disk")))
    with pytest.raises(OSError, match="full disk"):
        store_operating_point(path, POINT)
    monkeypatch.undo()
    restored = load_model(path, trust=True)
    assert restored.operating_point == point
    assert restored.input_size == 32
    assert [file.name for file in tmp_path.iterdir()] == ["best.ckpt"]


@pytest.mark.parametrize("entry", ["hparams", "module_arguments"])
def test_entries_of_first_lightning_versions_require_trust(tmp_path, entry):
    path = save(XrayClassifier(**OPTIONS), tmp_path / "best.ckpt")
    content = torch.load(path, weights_only=True)
    torch.save({**content, entry: {"loss": {"_target_": "os.system"}}}, path)
    with pytest.raises(RunError, match=r"os\.system.*trust=true"):
        load_model(path)


def test_another_way_to_build_the_model_requires_trust(tmp_path):
    path = save(XrayClassifier(**OPTIONS), tmp_path / "best.ckpt")
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"]["_instantiator"] = "pytorch_lightning.cli.instantiate_module"
    torch.save(content, path)
    with pytest.raises(RunError, match=r"instantiate_module.*trust=true"):
        load_model(path)


@pytest.mark.parametrize("entry", ["text", ["a"], {"operating_point": "text"}])
def test_malformed_entry(tmp_path, entry):
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": {}, "xray": entry}, path)
    with pytest.raises(ConfigError, match="expected a mapping"):
        load_model(path)
