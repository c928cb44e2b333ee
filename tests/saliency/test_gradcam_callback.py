"""When the callback draws, and the files of a real fit and test."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.trainer.states import TrainerFn
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from xray.errors import ConfigError
from xray.saliency.callback import GradCAMCallback
from xray.saliency.faithfulness import MEASURES, ROAD
from xray.types import Sample


class Pictures:
    """Noise images of 16 x 16 pixels: the first half normal, the second COVID-19."""

    def __init__(self, root: Path, split: str, n: int = 6) -> None:
        self.root = root
        names = ["normal"] * (n // 2) + ["COVID-19"] * (n // 2)
        self.samples = [
            Sample(root / split / name / f"{split}{i}.png", int(name != "normal"), name, str(i))
            for i, name in enumerate(names)
        ]

    def pixels(self, index: int) -> Tensor:
        generator = torch.Generator().manual_seed(index)
        return torch.randint(0, 256, (1, 16, 16), dtype=torch.uint8, generator=generator)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.pixels(index), self.samples[index].target


class Data(pl.LightningDataModule):
    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    def dataset(self, split: str) -> Pictures:
        return Pictures(self.root, split)

    def train_dataloader(self) -> Any:
        return DataLoader(self.dataset("train"), batch_size=3)

    def val_dataloader(self) -> Any:
        return DataLoader(self.dataset("val"), batch_size=3)

    def test_dataloader(self) -> Any:
        return DataLoader(self.dataset("test"), batch_size=3)


class ToFloat(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.float() / 255


class Net(pl.LightningModule):
    """A frozen convolution and a head."""

    classes = ("normal", "pneumonia")

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(ToFloat(), nn.Conv2d(1, 3, 3, stride=2), nn.ReLU())
        self.body.requires_grad_(False)
        self.tail = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(3 * 49, 2))

    def saliency_parts(self) -> tuple[nn.Module, nn.Module]:
        return self.body, self.tail

    def loss(self, batch: Any) -> Tensor:
        images, targets = batch
        return nn.functional.cross_entropy(self.tail(self.body(images)), targets)

    def training_step(self, batch: Any, index: int) -> Tensor:
        return self.loss(batch)

    def validation_step(self, batch: Any, index: int) -> None:
        self.loss(batch)

    test_step = validation_step

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.tail.parameters(), lr=0.1)


def trainer(root: Path, callback: GradCAMCallback | None, **changes: Any) -> pl.Trainer:
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "callbacks": callback and [callback],
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "logger": [TensorBoardLogger(root / "tb"), CSVLogger(root / "csv")],
        "log_every_n_steps": 1,
    }
    return pl.Trainer(**settings | changes)


def quiet(test: Any) -> Any:
    """Ignore Lightning's advice on loader processes and GPUs."""
    for advice in ("does not have many workers", "GPU available but not used"):
        test = pytest.mark.filterwarnings(f"ignore:.*{advice}")(test)
    return test


@quiet
def test_fit_and_test_write_overlays_and_tensorboard_images(tmp_path: Path) -> None:
    out = tmp_path / "gradcam"
    callback = GradCAMCallback("gradcam", n=4, every_n_epochs=2, seed=0, dirpath=out)
    run = trainer(tmp_path, callback, max_epochs=4, num_sanity_val_steps=1)
    run.fit(Net(), datamodule=Data(tmp_path))
    assert sorted(path.name for path in (out / "val").iterdir()) == ["epoch_001", "epoch_003"]
    assert not (out / "test").exists()
    run.test(run.lightning_module, datamodule=Data(tmp_path), verbose=False)

    with (out / "test" / "index.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == ["COVID-19", "COVID-19", "normal", "normal"]
    assert all(row["path"].startswith(f"{tmp_path.as_posix()}/test/") for row in rows)
    assert len(list((out / "test").glob("*.png"))) == 4
    early, late = (
        [path.name for path in sorted((out / "val" / epoch).iterdir())]
        for epoch in ("epoch_001", "epoch_003")
    )
    assert early == late

    events = EventAccumulator(str(run.loggers[0].log_dir), size_guidance={"images": 0}).Reload()
    tags = events.Tags()["images"]
    assert len(tags) == 4
    assert all(tag.startswith(("gradcam/COVID-19/val", "gradcam/normal/val")) for tag in tags)
    assert [event.step for event in events.Images(tags[0])] == [1, 3]


@quiet
def test_drawing_does_not_change_training(tmp_path: Path) -> None:
    weights = []
    for callback in (None, GradCAMCallback("gradcam", 4, 1, 0, tmp_path / "gradcam")):
        net = Net()
        torch.manual_seed(5)
        trainer(tmp_path, callback, max_epochs=3, logger=False).fit(net, datamodule=Data(tmp_path))
        weights.append(net.tail[-1].weight.detach().numpy())
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (tmp_path / "gradcam" / "val" / "epoch_002" / "index.csv").is_file()


@quiet
def test_validate_draws_nothing(tmp_path: Path) -> None:
    callback = GradCAMCallback("gradcam", 4, 1, 0, tmp_path / "gradcam")
    run = trainer(tmp_path, callback, logger=False)
    run.validate(Net(), datamodule=Data(tmp_path), verbose=False)
    assert not (tmp_path / "gradcam").exists()


def stand_in(**changes: Any) -> Any:
    """A trainer in its second epoch of fitting."""
    state = {
        "current_epoch": 1,
        "state": SimpleNamespace(fn=TrainerFn.FITTING),
        "sanity_checking": False,
        "is_global_zero": True,
        "loggers": [],
    }
    return SimpleNamespace(**state | changes)


@pytest.mark.parametrize(
    ("changes", "n"),
    [
        ({"sanity_checking": True}, 4),
        ({"is_global_zero": False}, 4),
        ({"current_epoch": 2}, 4),
        ({}, 0),
    ],
    ids=["sanity check", "another process", "another epoch", "no images requested"],
)
def test_draws_nothing(tmp_path: Path, changes: dict[str, Any], n: int) -> None:
    callback = GradCAMCallback("gradcam", n, 2, 0, tmp_path / "gradcam")
    run = stand_in(datamodule=Data(tmp_path), **changes)
    callback.on_validation_epoch_end(run, Net())
    assert not (tmp_path / "gradcam").exists()
    # The unchanged stand-in does draw.
    GradCAMCallback("gradcam", 4, 2, 0, tmp_path / "gradcam").on_validation_epoch_end(
        stand_in(datamodule=Data(tmp_path)), Net()
    )
    assert (tmp_path / "gradcam" / "val" / "epoch_001" / "index.csv").is_file()


def scorecard(run: Path, **options: Any) -> dict[str, Any]:
    """Test a classifier that is not an `XrayClassifier`, and read its scorecard."""
    callback = GradCAMCallback(
        "gradcam", 0, 1, 0, run / "gradcam", scorecard=4, faithfulness=2, **options
    )
    loop = trainer(run, callback, logger=False)
    loop.test(Net(), datamodule=Data(run), verbose=False)
    card: dict[str, Any] = json.loads((run / "gradcam" / "test" / "scorecard.json").read_text())
    return card


def measured(card: dict[str, Any]) -> dict[str, int]:
    """Return the number of images of each faithfulness measure."""
    rows = [row for row in card["rows"] if row["group"] == "faithfulness" and row["map"] == "map"]
    return {row["measure"]: row["n"] for row in rows}


@quiet
def test_scorecard_without_a_limit_measures_all_images(tmp_path: Path) -> None:
    for sweep in (False, True):
        card = scorecard(tmp_path, budget=None, sweep=sweep)
        assert measured(card) == dict.fromkeys(MEASURES, 2)
        assert "python -m" not in card["note"]


@quiet
def test_scorecard_is_limited_to_the_budget(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        card = scorecard(tmp_path, budget=1e-9)
    assert measured(card) == {ROAD: 1}
    command = f"python -m xray.gradcam run={tmp_path} scorecard=true faithfulness=true"
    assert card["note"].endswith(command)
    assert any(record.getMessage().endswith(command) for record in caplog.records)


@quiet
def test_scorecard_of_a_sweep_skips_faithfulness(tmp_path: Path) -> None:
    card = scorecard(tmp_path, sweep=True)
    assert measured(card) == {}
    assert {row["group"] for row in card["rows"]} == {"weights"}
    assert "in the jobs of a sweep" in card["note"]
    assert f"run={tmp_path} scorecard=true" in card["note"]


def test_another_process_scores_nothing(tmp_path: Path) -> None:
    callback = GradCAMCallback("gradcam", 0, 2, 0, tmp_path / "gradcam", scorecard=4)
    callback.on_test_end(stand_in(datamodule=Data(tmp_path), is_global_zero=False), Net())
    assert not (tmp_path / "gradcam").exists()


def test_without_a_data_module(tmp_path: Path) -> None:
    callback = GradCAMCallback("gradcam", 4, 2, 0, tmp_path)
    with pytest.raises(ConfigError, match=r"datamodule=.*~callbacks\.gradcam"):
        callback.on_test_end(stand_in(datamodule=None), Net())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "gradcm"}, r"method=gradcm .* Did you mean 'gradcam'\?"),
        ({"n": -1}, r"callbacks\.gradcam\.n is -1"),
        ({"scorecard": -1}, r"callbacks\.gradcam\.scorecard is -1"),
        ({"faithfulness": -1}, r"callbacks\.gradcam\.faithfulness is -1"),
        ({"every_n_epochs": 0}, r"callbacks\.gradcam\.every_n_epochs is 0"),
        ({"budget": 0}, r"callbacks\.gradcam\.budget is 0; .* null"),
        ({"budget": float("nan")}, r"callbacks\.gradcam\.budget is nan"),
    ],
)
def test_arguments_out_of_range(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    good = {"method": "gradcam", "n": 1, "every_n_epochs": 1, "seed": 0, "dirpath": tmp_path}
    with pytest.raises(ConfigError, match=message):
        GradCAMCallback(**good | changes)
