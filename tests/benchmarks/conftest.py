"""Fixtures: a benchmark of a few phantoms of 32 px."""

import pytest

from benchmarks.composed import groups
from benchmarks.setting import Setting
from benchmarks.subset import write_subset
from xray.phantom.tree import write_phantom_tree


@pytest.fixture
def setting(tmp_path):
    """Return a setting without images."""
    outputs, root = tmp_path / "scratch", tmp_path / "set"
    outputs.mkdir()
    return Setting(root, root, outputs, epochs=1, size=32, views=2)


@pytest.fixture
def filled(tmp_path, setting):
    """Write 6 training, 4 validation and 4 test images."""
    drawn = tmp_path / "drawn"
    write_phantom_tree(drawn, patients={"train": 20}, views=1, size=32, seed=0)
    write_subset(drawn, setting.root, {"test": 4, "train": 6, "val": 4}, groups())
    return setting
