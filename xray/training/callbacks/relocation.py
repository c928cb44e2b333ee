"""Paths in the saved states of checkpoint callbacks."""

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

_PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


class RelocateCheckpoints(pl.Callback):
    """Let the states of all ModelCheckpoint callbacks refer to files in their own directory.

    Lightning loads and deletes the files that a state names. The run directory may have been moved
    since, and a checkpoint from someone else may name any file.
    """

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Replace the directory of all paths before the callbacks load their states."""
        states = checkpoint.get("callbacks") or {}
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.state_key in states:
                state = states[callback.state_key]
                states[callback.state_key] = relocate(state, Path(str(callback.dirpath)))


def relocate(state: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the state of a ModelCheckpoint with all its files in a folder, under their names.

    Args:
        state: Result of `ModelCheckpoint.state_dict`.
        folder: The directory of the callback now.
    """

    def inside(path: Any) -> str:
        name = PurePath(str(path)).name
        return str(folder / name) if name not in {"", ".."} else ""

    best = {inside(path): score for path, score in (state.get("best_k_models") or {}).items()}
    best.pop("", None)
    paths = {key: inside(state.get(key) or "") for key in _PATHS}
    return {**state, **paths, "best_k_models": best, "dirpath": str(folder)}
