"""Checkpoints that are whole or absent."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_fabric.utilities.types import _PATH

from xray.errors import TrainingError
from xray.files import replacing


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, syncs, and renames.

    Lightning's own writer goes through the system's temporary folder and moves the result: across
    file systems a kill leaves half a checkpoint, and a full disk truncates the good one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; a reader sees the old one or the new one, nothing between.

        Raises:
            TrainingError: When it cannot be written; what was there before stays.
        """
        target = Path(path)
        try:
            with replacing(target) as part, part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
        except (OSError, RuntimeError) as error:
            # A full disk surfaces as a RuntimeError of torch's zip writer.
            raise TrainingError(
                f"The checkpoint {target} cannot be written: {error}. An earlier one is untouched. "
                "Make room or pass another paths.outputs, then go on with resume=<run directory>."
            ) from error
