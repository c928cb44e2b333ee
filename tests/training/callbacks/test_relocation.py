from pathlib import Path

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from xray.training.callbacks.relocation import relocate


@pytest.mark.parametrize("folder", ["/other/checkpoints", "file:///other", "/run/checkpoints/.."])
def test_files_are_in_the_folder_of_the_callback(folder):
    score = torch.tensor(0.5)
    state = {
        "best_model_path": f"{folder}/best.ckpt",
        "kth_best_model_path": f"{folder}/kth.ckpt",
        "last_model_path": "",
        "best_k_models": {f"{folder}/best.ckpt": score},
        "best_model_score": score,
        "dirpath": folder,
    }
    assert relocate(state, Path("/run/checkpoints")) == {
        "best_model_path": "/run/checkpoints/best.ckpt",
        "kth_best_model_path": "/run/checkpoints/kth.ckpt",
        "last_model_path": "",
        "best_k_models": {"/run/checkpoints/best.ckpt": score},
        "best_model_score": score,
        "dirpath": "/run/checkpoints",
    }


@pytest.mark.parametrize("path", ["..", "/run/checkpoints/..", "/", ""])
def test_a_folder_is_not_a_file(path):
    state = {"best_model_path": path, "best_k_models": {path: torch.tensor(0.5)}}
    found = relocate(state, Path("/run/checkpoints"))
    assert (found["best_model_path"], found["best_k_models"]) == ("", {})


def test_lightning_loads_the_relocated_state(tmp_path):
    callback = ModelCheckpoint(dirpath=tmp_path, monitor="val/loss")
    state = {**callback.state_dict(), "dirpath": "/other", "best_model_path": "/other/best.ckpt"}
    callback.load_state_dict(relocate(state, tmp_path))
    assert callback.best_model_path == str(tmp_path / "best.ckpt")
