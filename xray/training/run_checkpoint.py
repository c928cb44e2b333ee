"""Checkpoints of a run, wherever its directory stands now."""

from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which forgets what was best when the directory was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of a run whose checkpoints lay in another directory, file by file."""
        folder = Path(str(self.dirpath))
        moved = {**state_dict, "dirpath": str(folder)}
        for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
            moved[key] = str(folder / Path(state_dict[key]).name) if state_dict[key] else ""
        best = state_dict["best_k_models"]
        moved["best_k_models"] = {str(folder / Path(p).name): score for p, score in best.items()}
        super().load_state_dict(moved)
