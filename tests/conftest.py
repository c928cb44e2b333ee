"""Fixtures: tiny images that are drawn by the tests."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import albumentations as A
import pytest
from made_images import write_image

Tree = Mapping[str, int]


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[[Tree], Path]:
    """Return a function that writes {"train/NORMAL": 6}, folder -> number of images.

    Each patient has two images; images of pneumonia are brighter.
    """

    def make(tree: Tree, root: Path = tmp_path / "set") -> Path:
        seed = 0
        for place, (folder, count) in enumerate(tree.items()):
            for i in range(count):
                level = 90 if "normal" in folder.lower() else 150
                name = f"patient{place:02d}{i // 2:02d}_{i % 2:02d}.png"
                write_image(root / folder / name, level=level, seed=(seed := seed + 1))
        return root

    return make


@pytest.fixture
def transforms() -> dict[str, list[A.BasicTransform]]:
    """Transforms of a 32 px network, with random training transforms."""
    return {
        "train": [A.Resize(32, 32), A.Rotate(limit=20, p=1.0), A.HorizontalFlip(p=0.5)],
        "eval": [A.Resize(32, 32)],
    }


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real X-rays and weights; tests are skipped without it."""
    path = Path(os.environ.get("XRAY_SHARED", Path(__file__).parents[2] / "shared"))
    if not path.is_dir():
        pytest.skip(f"no real data: XRAY_SHARED ({path}) is absent")
    return path
