"""Atomic writing of checkpoints."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_fabric.utilities.types import _PATH

from xray.errors import TrainingError
from xray.files import replacing


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint next to its target, synchronize it to disk, and rename it.

    Lightning's writer uses the system's temporary folder and moves the result: across file systems,
    a kill leaves half a checkpoint, and a full disk truncates the previous one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; a reader sees either the previous file or the new one.

        Raises:
            TrainingError: The file cannot be written; the previous file is unchanged.
        """
        target = Path(path)
        try:
            with replacing(target) as part, part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
        except (OSError, RuntimeError) as error:
            # With a full disk, torch's zip writer raises a RuntimeError.
            raise TrainingError(
                f"The checkpoint {target} cannot be written: {error}. The previous one is "
                "unchanged. Free disk space, then continue with resume=<run directory>; or start "
                "again with another paths.outputs."
            ) from error
