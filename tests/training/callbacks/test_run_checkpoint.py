"""Best epochs of scripted sequences of scores."""

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from torch.utils.data import DataLoader, TensorDataset

from xray.training.callbacks.early_stopping import RunEarlyStopping
from xray.training.callbacks.run_checkpoint import RunCheckpoint
from xray.training.fit import end_reason
from xray.training.trainer import build_trainer


class Scripted(pl.LightningModule):
    """Log one (auroc, loss) per epoch; the weight counts the epochs."""

    def __init__(self, script):
        super().__init__()
        self.script = script
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        return -self.weight.sum()

    def validation_step(self, batch, batch_idx):
        auroc, loss = self.script[self.current_epoch]
        self.log("val/auroc", auroc, on_epoch=True)
        if loss is not None:
            self.log("val/loss", loss, on_epoch=True)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def fit(folder, script, *, monitor="val/auroc", mode="max", epochs=None, resume=None, patience=3):
    """Train with a script; returns the best checkpoint and the early stopping callback."""
    options = {"dirpath": str(folder), "enable_version_counter": False}
    best = RunCheckpoint(filename="best", monitor=monitor, mode=mode, save_top_k=1, **options)
    last = RunCheckpoint(filename="last", save_on_train_epoch_end=True, **options)
    stopping = RunEarlyStopping(monitor=monitor, mode=mode, patience=patience)
    trainer = build_trainer(
        gpus=0,
        require_gpu=False,
        precision="32-true",
        callbacks=[best, last, stopping],
        max_epochs=epochs or len(script),
        default_root_dir=str(folder),
    )
    loader = DataLoader(TensorDataset(torch.zeros(1)))
    trainer.fit(Scripted(script), loader, loader, ckpt_path=resume, weights_only=True)
    stopping.ended = end_reason(trainer)
    return best, stopping


def kept(folder):
    return torch.load(folder / "best.ckpt", weights_only=True)["epoch"]


@pytest.mark.parametrize(
    ("script", "epoch"),
    [
        pytest.param([(1.0, 0.9), (1.0, 0.4), (1.0, 0.5)], 1, id="a tie goes to the lower loss"),
        pytest.param([(1.0, 0.4), (1.0, 0.4), (1.0, 0.9)], 0, id="an equal loss to the earlier"),
        pytest.param([(0.9, 0.1), (0.95, 0.8), (0.9, 0.05)], 1, id="the metric comes first"),
        pytest.param([(0.8, 0.1), (0.9, 0.7), (0.9, 0.6)], 2, id="compared with the kept epoch"),
        pytest.param([(1 - 6e-8, 0.2), (1.0, 0.3)], 0, id="rounding is no improvement"),
        pytest.param([(0.9, None), (0.9, None)], 0, id="without a loss the earlier"),
    ],
)
def test_best_epoch(tmp_path, script, epoch):
    best, _ = fit(tmp_path, script)
    assert kept(tmp_path) == epoch
    assert float(best.best_model_score) == pytest.approx(script[epoch][0])


def test_monitored_loss_needs_no_tie_breaker(tmp_path):
    fit(tmp_path, [(0.5, 0.3), (0.5, 0.2), (0.9, 0.2)], monitor="val/loss", mode="min")
    assert kept(tmp_path) == 1


def test_ties_are_not_an_improvement_for_early_stopping(tmp_path):
    losses = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    _, stopping = fit(tmp_path, [(1.0, loss) for loss in losses])
    # Three epochs without a better AUROC after the first.
    assert stopping.stopped_epoch == 3
    assert "val/auroc did not improve for 3 epochs" in stopping.ended
    assert "patience=3" in stopping.ended
    assert kept(tmp_path) == 3


def test_resumed_run_keeps_the_same_epoch(tmp_path):
    script = [(1.0, 0.9), (1.0, 0.3), (1.0, 0.5), (0.9, 0.1)]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fit(whole, script)
    fit(parts, script, epochs=2)
    moved = parts.rename(tmp_path / "moved")
    fit(moved, script, resume=moved / "last.ckpt")
    assert kept(whole) == kept(moved) == 1


NAN = float("nan")


def test_undefined_scores_neither_stop_nor_select(tmp_path, caplog):
    script = [(NAN, 0.1), (0.6, 0.9), (NAN, 0.0), (NAN, 0.0), (0.5, 0.1), (0.7, 0.8)]
    best, stopping = fit(tmp_path, script, patience=2)
    assert kept(tmp_path) == best.best_epoch == 5
    assert stopping.ended == "trainer.max_epochs=6 reached"
    assert caplog.text.count("val/auroc is undefined") == 1


def test_without_a_defined_score_there_is_no_best(tmp_path):
    best, _ = fit(tmp_path, [(NAN, 0.1), (NAN, 0.2)])
    assert best.best_model_score is None
    assert not (tmp_path / "best.ckpt").exists()


def test_resumed_run_follows_its_new_patience(tmp_path):
    script = [(0.9, 0.5), (0.8, 0.5), (0.7, 0.5), (0.6, 0.5), (0.5, 0.5), (0.4, 0.5)]
    _, stopping = fit(tmp_path, script, patience=1)
    assert stopping.stopped_epoch == 1
    _, stopping = fit(tmp_path, script, patience=3, resume=tmp_path / "last.ckpt")
    assert stopping.stopped_epoch == 3
    assert "patience=3" in stopping.ended


def test_early_stopping_reads_the_state_of_lightnings_callback():
    options = {"monitor": "val/auroc", "mode": "max"}
    assert RunEarlyStopping(**options).state_key == EarlyStopping(**options).state_key


def test_state_of_older_versions(tmp_path):
    best, _ = fit(tmp_path, [(1.0, 0.9)])
    state = best.state_dict()
    assert state.pop("loss") == pytest.approx(0.9)
    older = RunCheckpoint(dirpath=str(tmp_path), monitor="val/auroc", mode="max")
    older.load_state_dict(state)
    assert older.state_dict()["loss"] is None
    assert older.best_model_score == 1.0
