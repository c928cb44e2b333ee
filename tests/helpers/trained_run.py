"""Train a tiny network on a tiny dataset through the command, for tests of finished runs."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from made_images import write_image

CLASSES = ("Normal", "Pneumonia")
OPTIONS = [
    "data=folder",
    "data.size=32",
    "data.batch_size=8",
    "data.workers=0",
    "data.min_val=0",
    "model.weights=random",
    "model.head.hidden=[8]",
    "model.head.norm=batch",
    "optim.lr=0.01",
    "trainer=cpu",
    "trainer.precision=32-true",
    "trainer.max_epochs=20",
    "callbacks=none",
    "threshold=youden",
]


def write_dataset(root: Path) -> Path:
    """Write 52 images whose classes overlap, so that probabilities differ; return the folder."""
    seed = 0
    for split, count in (("train", 10), ("val", 8), ("test", 8)):
        for name, level in zip(CLASSES, (100, 125), strict=True):
            for i in range(count):
                file = root / split / name / f"{split}{name}{i}_0.png"
                write_image(file, level=level + 8 * (i % 5), seed=(seed := seed + 1))
    return root


def call(command: ModuleType, outputs: Path, *arguments: str) -> None:
    """Call a command as the command line does."""
    words = [f"paths.outputs={outputs}", f"paths.cache={outputs}/cache", *arguments]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [command.__name__, *words])
        command.main()


def train_run(outputs: Path, root: Path, *arguments: str) -> Path:
    """Train, and return the run directory."""
    from xray import train

    call(train, outputs, *OPTIONS, f"data.root={root}", *arguments)
    return max(outputs.glob("train/*"), key=lambda path: path.stat().st_mtime_ns)
