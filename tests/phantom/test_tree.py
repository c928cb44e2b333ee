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

NUMBERS = {"patients": {"train": 8, "val": 4, "test": 4}, "views": 2, "size": 64, "seed": 1}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "phantoms"
    write_phantom_tree(root, **NUMBERS)
    return root


def images(root):
    return sorted(path for split in NUMBERS["patients"] for path in (root / split).rglob("*.png"))


def test_half_are_normal_and_every_image_has_its_masks(root):
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


def test_same_numbers_same_bytes(root, tmp_path):
    write_phantom_tree(tmp_path / "again", **NUMBERS)
    for path in images(root):
        assert (tmp_path / "again" / path.relative_to(root)).read_bytes() == path.read_bytes()
    found = json.loads((root / "phantoms.json").read_text())
    assert {key: found[key] for key in NUMBERS} == NUMBERS


def test_a_folder_that_holds_something_else_is_refused(root, tmp_path):
    with pytest.raises(DataError, match=r"drawn from other numbers.*Delete the folder"):
        write_phantom_tree(root, **{**NUMBERS, "seed": 2})
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"is no phantom dataset.*data=folder"):
        write_phantom_tree(tmp_path, **NUMBERS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patients": {}}, "data.patients is empty"),
        ({"patients": {"train": 3}}, "data.patients.train=3 is too few"),
        ({"views": 0}, "data.views=0 is too few"),
    ],
)
def test_numbers_out_of_range_are_named(tmp_path, change, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        write_phantom_tree(tmp_path / "set", **{**NUMBERS, **change})


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written.*Free some space"):
        write_phantom_tree(tmp_path / "file" / "set", **NUMBERS)


def test_a_complete_set_is_left_alone(root):
    before = {path: path.stat().st_mtime_ns for path in images(root)}
    write_phantom_tree(root, **NUMBERS)
    assert {path: path.stat().st_mtime_ns for path in images(root)} == before


def test_a_stop_half_way_leaves_nothing(tmp_path, monkeypatch):
    drawn = []

    def stop(*args, **kwargs):
        drawn.append(args)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    real = phantom_tree.draw_phantom
    monkeypatch.setattr(phantom_tree, "draw_phantom", stop)
    with pytest.raises(KeyboardInterrupt):
        write_phantom_tree(tmp_path / "set", **NUMBERS)
    assert list(tmp_path.iterdir()) == []


def test_a_set_that_another_process_finished_first_is_used(root, tmp_path, monkeypatch):
    target = tmp_path / "set"
    real = phantom_tree.draw_phantom

    def race(*args, **kwargs):
        if not target.exists():
            shutil.copytree(root, target)
        return real(*args, **kwargs)

    monkeypatch.setattr(phantom_tree, "draw_phantom", race)
    write_phantom_tree(target, **NUMBERS)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert len(images(target)) == 32
