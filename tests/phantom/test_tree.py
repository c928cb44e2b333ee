import json
import re
import shutil

import numpy as np
import pytest

from xray.errors import ConfigError, DataError
from xray.imaging.read import read_image
from xray.phantom import tree as phantom_tree
from xray.phantom.draw import KINDS
from xray.phantom.tree import write_phantom_tree

ARGUMENTS = {"patients": {"train": 8, "val": 4, "test": 4}, "views": 2, "size": 64, "seed": 1}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_phantom_tree(root, **ARGUMENTS)
    return root


def images(root):
    return sorted(path for split in ARGUMENTS["patients"] for path in (root / split).rglob("*.png"))


def test_half_are_normal_and_every_image_has_masks(root):
    counts = {kind: len(list((root / "train" / kind).iterdir())) for kind in KINDS}
    assert counts == {"normal": 8, "pneumonia": 4, "covid": 4}
    for path in images(root):
        relative = path.relative_to(root)
        lung, lesion = (
            phantom_tree.cv2.imread(str(root / "masks" / mask / relative), 0)
            for mask in ("lung", "lesion")
        )
        assert read_image(path).shape == lung.shape == (64, 64)
        assert set(np.unique(lung)) == {0, 255}
        assert (lesion.max() == 255) == (relative.parts[1] != "normal")
        assert not ((lesion > 0) & (lung == 0)).any()


def test_no_patient_is_in_two_splits(root):
    owners = {}
    for path in images(root):
        owners.setdefault(path.name.split("_")[0], set()).add(path.relative_to(root).parts[:2])
    assert len(owners) == 16
    assert all(len(places) == 1 for places in owners.values())


def test_equal_arguments_write_equal_files(root, tmp_path):
    write_phantom_tree(tmp_path / "again", **ARGUMENTS)
    for path in images(root):
        assert (tmp_path / "again" / path.relative_to(root)).read_bytes() == path.read_bytes()
    found = json.loads((root / "phantoms.json").read_text())
    assert {key: found[key] for key in ARGUMENTS} == ARGUMENTS


def test_folder_with_other_files_is_rejected(root, tmp_path):
    with pytest.raises(DataError, match=r"phantoms with other settings.*Delete the folder"):
        write_phantom_tree(root, **{**ARGUMENTS, "seed": 2})
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"is not a phantom dataset.*data=folder"):
        write_phantom_tree(tmp_path, **ARGUMENTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patients": {}}, "data.patients is empty"),
        ({"patients": {"train": 3}}, "data.patients.train=3 is too few"),
        ({"views": 0}, "data.views=0 is too few"),
    ],
)
def test_arguments_out_of_range_are_named(tmp_path, change, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        write_phantom_tree(tmp_path / "set", **{**ARGUMENTS, **change})


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written.*Free disk space"):
        write_phantom_tree(tmp_path / "file" / "set", **ARGUMENTS)


def test_complete_dataset_is_unchanged(root):
    before = {path: path.stat().st_mtime_ns for path in images(root)}
    write_phantom_tree(root, **ARGUMENTS)
    assert {path: path.stat().st_mtime_ns for path in images(root)} == before


def test_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    drawn = []

    def stop(*args, **kwargs):
        drawn.append(args)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    real = phantom_tree.draw_phantom
    monkeypatch.setattr(phantom_tree, "draw_phantom", stop)
    with pytest.raises(KeyboardInterrupt):
        write_phantom_tree(tmp_path / "set", **ARGUMENTS)
    assert list(tmp_path.iterdir()) == []


def test_dataset_written_by_another_process_is_used(root, tmp_path, monkeypatch):
    target = tmp_path / "set"
    real = phantom_tree.draw_phantom

    def race(*args, **kwargs):
        if not target.exists():
            shutil.copytree(root, target)
        return real(*args, **kwargs)

    monkeypatch.setattr(phantom_tree, "draw_phantom", race)
    write_phantom_tree(target, **ARGUMENTS)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert len(images(target)) == 32
