"""Default dataset: phantoms, which are drawn when they are first needed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xray.data.datamodule import XrayDataModule
from xray.phantom.tree import DRAWING_VERSION, write_phantom_tree
from xray.types import Split


class PhantomDataModule(XrayDataModule):
    """Data module of phantoms, drawn into a folder that is named after their settings.

    Args:
        root: Folder of all phantom datasets.
        patients: Number of patients in each split.
        views: Images per patient.
        drawing_seed: Seed of the drawing, independent of the seeds of splits and training.
        size: Side length of the images, pixels.
        **options: See `XrayDataModule`.
    """

    def __init__(
        self,
        root: str | Path,
        *args: Any,
        patients: Mapping[Split, int],
        views: int,
        drawing_seed: int,
        size: int,
        **options: Any,
    ) -> None:
        self.drawing: dict[str, Any] = {
            "patients": dict(patients),
            "views": views,
            "size": size,
            "seed": drawing_seed,
        }
        key = json.dumps([DRAWING_VERSION, self.drawing], sort_keys=True)
        name = f"phantoms-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        super().__init__(Path(root) / name, *args, size=size, **options)

    def prepare_data(self) -> None:
        """Draw the phantoms if they do not exist yet."""
        write_phantom_tree(self.root, **self.drawing)
