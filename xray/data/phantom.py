"""The embedded default: a dataset of phantoms, drawn when it is first asked for."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xray.data.datamodule import XrayDataModule
from xray.phantom.tree import DRAWING_VERSION, write_phantom_tree
from xray.types import Split


class PhantomDataModule(XrayDataModule):
    """Draws phantoms into a folder, named by what they were drawn from, and reads it like any.

    Args:
        root: Above the folders of all phantom sets.
        patients: How many patients each split has.
        views: Images of one patient.
        drawing_seed: Of the drawing, apart from the seeds of splits and training.
        size: Side of the drawings, pixels.
        **options: As for `XrayDataModule`.
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
        """Draw the phantoms, where that has not been done."""
        write_phantom_tree(self.root, **self.drawing)
