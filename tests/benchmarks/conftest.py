"""A tiny set of drawn X-rays, and a bench of it."""

import pytest

from benchmarks.composed import groups
from benchmarks.setting import Setting
from benchmarks.subset import write_subset
from xray.imaging.phantom_tree import write_phantom_tree


@pytest.fixture
def setting(tmp_path):
    outputs = tmp_path / "scratch"
    outputs.mkdir()
    root = tmp_path / "set"
    return Setting(root, root, outputs, epochs=1, size=32, views=2)


@pytest.fixture
def images(setting, tmp_path):
    """Write 6 training, 4 validation and 4 test images, as the bench does."""
    drawn = tmp_path / "drawn"
    write_phantom_tree(drawn, patients={"train": 20}, views=1, size=32, seed=0)
    write_subset(drawn, setting.root, {"test": 4, "train": 6, "val": 4}, groups())
    return setting.root
