import pytest
from made_images import write_image

from xray.data.collection import collect
from xray.data.groups import Groups
from xray.data.manifest import write_manifest
from xray.data.manifest_row import Row
from xray.data.patients import compile_patient_pattern
from xray.errors import DataError

GROUPS = Groups({"normal": [], "pneumonia": ["covid"]})


def row(path, **known):
    return Row(path=path, source="ours", **known)


def test_images_are_in_the_splits_of_their_folders(tmp_path):
    for i, folder in enumerate(("train/normal", "train/covid", "val/normal", "test/covid")):
        write_image(tmp_path / folder / f"patient000{i}_01.png", seed=i)
    found = collect(tmp_path, GROUPS, compile_patient_pattern(None))
    assert found.splits == ["train", "train", "val", "test"]
    assert found.given == {"train", "val", "test"}
    joined = found.joining("val")
    assert joined.positions("train") == [0, 1, 2]
    assert joined.given == {"train", "test"}
    assert joined.only([3]).splits == ["test"]


def test_the_manifest_takes_precedence_over_names(tmp_path):
    for name in ("normal/patient01_1.png", "covid/b.png", "covid/patient02_3.png"):
        write_image(tmp_path / name, seed=len(name))
    write_manifest(
        tmp_path,
        [
            row("normal/patient01_1.png", label="No Finding", class_name="normal", patient="7"),
            row("covid/b.png", label="COVID-19", class_name="covid", patient=None),
        ],
    )
    found = collect(tmp_path, GROUPS, compile_patient_pattern(None))
    assert [(s.label, s.patient, s.source) for s in found.samples] == [
        ("COVID-19", None, "ours"),
        ("covid", "patient02", ""),
        ("No Finding", "7", "ours"),
    ]


def test_a_manifest_with_paths_and_patients_is_sufficient(tmp_path):
    root = tmp_path / "set"
    for name in ("a", "b"):
        write_image(root / "normal" / f"{name}.png")
    (root / "manifest.csv").write_text("path,patient\nnormal/a.png,one\nnormal/b.png,\n")
    found = collect(root, GROUPS, compile_patient_pattern(None))
    assert [(s.patient, s.label, s.source) for s in found.samples] == [
        ("one", "normal", ""),
        (None, "normal", ""),
    ]


def test_a_malformed_manifest_is_an_error(tmp_path):
    write_image(tmp_path / "normal/a.png")
    (tmp_path / "manifest.csv").write_text("path\nnormal/a.png\n")
    with pytest.raises(DataError, match=r"manifest\.csv has none of the columns patient, label"):
        collect(tmp_path, GROUPS, compile_patient_pattern(None))
