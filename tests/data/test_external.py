import logging

import pytest
from made_images import write_image

from xray.data.external import read_external
from xray.data.groups import Groups
from xray.data.manifest import write_manifest
from xray.data.manifest_row import Row
from xray.data.patients import compile_patient_pattern
from xray.errors import DataError

TWO = Groups({"normal": ["healthy"], "pneumonia": ["covid 19", "viral pneumonia"]})
THREE = Groups({"normal": ["healthy"], "pneumonia": ["viral pneumonia"], "covid": ["covid 19"]})


def read(root, groups=TWO, split="test"):
    return read_external(root, split, groups, compile_patient_pattern(None))


def row(path, label, class_name, patient="p1"):
    return Row(path, "clinic", label, class_name, patient)


def test_flat_or_split(make_tree, tmp_path):
    assert len(read(make_tree({"Normal": 2, "Covid-19": 4}, tmp_path / "flat"))) == 6
    # No train/ is needed for a test.
    split = make_tree({"val/Normal": 2, "test/Normal": 1, "test/Covid-19": 4}, tmp_path / "split")
    assert [sample.target for sample in read(split)] == [1] * 4 + [0]
    with pytest.raises(DataError, match=r"contains val, test, but no train/\. Pass split=val"):
        read(split, split="train")


def test_all_unknown_folders_are_named(make_tree):
    root = make_tree({"Normal": 1, "helthy": 1, "Viral-Pnuemonia": 1, "Zebra": 1})
    with pytest.raises(DataError) as caught:
        read(root)
    said = str(caught.value)
    assert (
        "'Viral-Pnuemonia' (similar to 'viral pneumonia'), 'Zebra', 'helthy' (similar to 'h" in said
    )
    assert "'Normal'" not in said
    assert "Known: normal (healthy, normal), pneumonia (covid 19, pneumonia, viral" in said
    assert "data.groups" not in said


@pytest.mark.parametrize("groups", [TWO, THREE])
def test_a_dataset_of_one_class_is_an_error(make_tree, groups):
    with pytest.raises(DataError, match=r"has only images of class 'normal'") as no:
        read(make_tree({"Normal": 2}), groups)
    assert "pneumonia: " in str(no.value)
    assert ("covid: covid, covid 19" in str(no.value)) == (groups is THREE)


def test_a_missing_third_class_is_logged(make_tree, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        found = read(make_tree({"Normal": 2, "Viral Pneumonia": 1}), THREE)
        assert "No images of class 'covid' in" in caplog.text
        assert [sample.target for sample in found] == [0, 0, 1]
        caplog.clear()
        assert len(read(make_tree({"Normal": 2, "Covid 19": 1}, tmp_path / "two"))) == 3
    assert caplog.text == ""


def test_a_dataset_of_three_classes_is_read_with_the_groups_of_two(make_tree):
    root = make_tree({"normal": 1, "pneumonia": 1, "covid": 1})
    groups = Groups({"normal": [], "pneumonia": ["covid"]})
    assert sorted(sample.target for sample in read(root, groups)) == [0, 1, 1]


def test_patients_and_sources_are_read_from_the_manifest(tmp_path):
    for name in ("test/normal/a.png", "test/pneumonia/b.png"):
        write_image(tmp_path / name)
    write_manifest(
        tmp_path,
        [
            row("test/normal/a.png", "No Finding", "normal"),
            row("test/pneumonia/b.png", "COVID 19", "pneumonia"),
        ],
    )
    found = read(tmp_path)
    assert [(s.patient, s.source, s.label) for s in found] == [
        ("p1", "clinic", "No Finding"),
        ("p1", "clinic", "COVID 19"),
    ]
    # To a network of three classes, that is no pneumonia.
    with pytest.raises(DataError) as caught:
        read(tmp_path, THREE)
    assert "manifest.csv contradicts the folders for 1 images" in str(caught.value)
    assert "'COVID 19', which is class 'covid'" in str(caught.value)


def test_a_manifest_that_contradicts_the_folders_is_an_error(tmp_path):
    for name in ("normal/a.png", "pneumonia/b.png"):
        write_image(tmp_path / name)
    write_manifest(tmp_path, [row("normal/a.png", "x", "pneumonia")])
    with pytest.raises(
        DataError, match=r"normal.a\.png' \(line 2\) is labeled 'pneumonia', which is class 'pneu"
    ):
        read(tmp_path)


def test_images_that_would_not_be_used_are_an_error_or_logged(make_tree, caplog):
    root = make_tree({"test/Normal": 2, "test/Covid-19": 2})
    (root / "test/Normal/scan.gif").write_bytes(b"GIF89a" + bytes(40))
    write_image(root / "test/Normal/masks/a.png")
    assert len(read(root)) == 4
    assert "1 image files are not read (.gif 1)" in caplog.text
    write_image(root / "test/loose.png")
    with pytest.raises(DataError, match=r"1 images outside the class folders: test/loose\.png"):
        read(root)
