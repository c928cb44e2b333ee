"""Images and manifest.csv, joined as in training and in evaluation."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from made_images import write_image

from xray.data.collection import Collection, collect
from xray.data.external import read_external
from xray.data.groups import Groups
from xray.data.patients import compile_patient_pattern
from xray.errors import DataError
from xray.types import Sample, Split

GROUPS = Groups({"normal": [], "pneumonia": ["covid"]})
FLAT = ("normal/a.png", "normal/b.png", "pneumonia/c.png", "pneumonia/d.png")


def build(root: Path, table: str, files: Sequence[str] = FLAT) -> Path:
    for i, name in enumerate(files):
        write_image(root / name, seed=i)
    (root / "manifest.csv").write_text(table)
    return root


def train(root: Path, pattern: str | None = None, groups: Groups = GROUPS) -> Collection:
    return collect(root, groups, compile_patient_pattern(pattern))


def evaluate(root: Path, split: Split = "test", groups: Groups = GROUPS) -> list[Sample]:
    return read_external(root, split, groups, compile_patient_pattern(None))


Reader = Callable[[Path], object]
READERS = pytest.mark.parametrize("reader", [train, evaluate], ids=["training", "evaluation"])


def test_paths_are_normalized(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "./normal/a.png,1\nnormal//b.png,1\nPneumonia/c.png,2\npneumonia/D.png, 3\n"
    found = train(build(tmp_path, f"path,patient\n{rows}"))
    assert [sample.patient for sample in found.samples] == ["1", "1", "2", "3"]
    assert not caplog.records


@READERS
def test_no_row_names_a_file(tmp_path: Path, reader: Reader) -> None:
    root = build(tmp_path, "path,patient\nimages/normal/a.png,1\nimages/normal/b.png,1\n")
    with pytest.raises(DataError) as caught:
        reader(root)
    assert "lists 2 files, but none of them exists" in str(caught.value)
    assert "'images/normal/a.png'" in str(caught.value)
    assert "'normal/a.png'" in str(caught.value)


@READERS
def test_some_rows_name_a_file(
    tmp_path: Path, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    reader(build(tmp_path, "path,patient\nnormal/a.png,1\nnormal/x.png,1\nnormal/y.png,2\n"))
    assert "2 of 3 rows refer to missing files (first: 'normal/x.png')" in caplog.text
    assert "3 of 4 images have no row (first: 'normal/b.png')" in caplog.text


@READERS
@pytest.mark.parametrize("column", ["label", "class"])
def test_labels_that_contradict_the_folder(tmp_path: Path, reader: Reader, column: str) -> None:
    rows = "normal/a.png,Normal\nnormal/b.png,COVID\npneumonia/c.png,covid\npneumonia/d.png,x\n"
    with pytest.raises(DataError) as caught:
        reader(build(tmp_path, f"path,{column}\n{rows}"))
    message = str(caught.value)
    assert "contradicts the folders for 1 images" in message
    assert "'normal/b.png' (line 3) is labeled 'COVID', which is class 'pneumonia'" in message
    assert "folder 'normal' is class 'normal'" in message


def test_labels_of_no_class_do_not_contradict(tmp_path: Path) -> None:
    rows = "normal/a.png,No Finding\nnormal/b.png,effusion\n"
    found = train(build(tmp_path, f"path,label\n{rows}"))
    assert [sample.label for sample in found.samples][:2] == ["No Finding", "effusion"]


def test_a_model_of_more_classes_contradicts_the_folders(tmp_path: Path) -> None:
    rows = "".join(f"{name},{'covid' if 'pneumonia' in name else 'normal'}\n" for name in FLAT)
    root = build(tmp_path, f"path,label\n{rows}")
    assert len(evaluate(root)) == 4
    three = Groups({"normal": [], "pneumonia": [], "covid": []})
    for reader in (evaluate, train):
        with pytest.raises(DataError, match="'covid', which is class 'covid'"):
            reader(root, groups=three)


# The column "split"

SPLITS = "normal/a.png,train\nnormal/b.png,Test\npneumonia/c.png,train\npneumonia/d.png,test\n"


def test_flat_folder_is_divided(tmp_path: Path) -> None:
    found = train(build(tmp_path, f"path,split\n{SPLITS}"))
    assert found.splits == ["train", "test", "train", "test"]
    assert found.given == {"train", "test"}
    assert [sample.path.name for sample in evaluate(tmp_path)] == ["b.png", "d.png"]
    with pytest.raises(DataError, match=r"no image with the split 'val'\. Pass split=train"):
        evaluate(tmp_path, "val")


def test_flat_folder_that_is_divided_in_part(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = train(build(tmp_path, f"path,split\n{SPLITS.replace('train', '')}"))
    assert found.splits == ["train", "test", "train", "test"]
    assert "has no split for 2 of 4 images" in caplog.text


def test_flat_folder_without_training_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image with the split 'train'"):
        train(build(tmp_path, f"path,split\n{SPLITS.replace('train', 'val')}"))


def test_flat_folder_with_empty_splits_is_not_divided(tmp_path: Path) -> None:
    found = train(build(tmp_path, "path,split\nnormal/a.png,\n"))
    assert found.given == {"train"}
    assert len(evaluate(tmp_path)) == 4


def test_split_that_contradicts_the_folder(tmp_path: Path) -> None:
    files = ("train/normal/a.png", "test/normal/b.png", "test/covid/c.png")
    rows = "train/normal/a.png,train\ntest/normal/b.png,train\ntest/covid/c.png,\n"
    build(tmp_path, f"path,split\n{rows}", files)
    for reader in (train, evaluate):
        with pytest.raises(DataError) as caught:
            reader(tmp_path)
        assert "contradicts the folders for 1 images" in str(caught.value)
        assert "'test/normal/b.png' (line 3) has the split 'train'" in str(caught.value)
        assert "folder of 'test'" in str(caught.value)


# Patient IDs


def test_a_manifest_takes_precedence_over_names(tmp_path: Path) -> None:
    files = ("normal/patient01_1.png", "normal/patient02_1.png", "covid/patient03_1.png")
    table = "path,patient\nnormal/patient01_1.png,7\nnormal/patient02_1.png,unknown\n"
    found = train(build(tmp_path, table, files))
    patients = {sample.path.name: sample.patient for sample in found.samples}
    assert patients == {
        "patient01_1.png": "7",
        "patient02_1.png": None,
        "patient03_1.png": "patient03",
    }


def test_names_are_used_without_a_column_of_patients(tmp_path: Path) -> None:
    files = ("normal/patient01_1.png", "covid/patient03_1.png")
    found = train(build(tmp_path, "path,label\nnormal/patient01_1.png,normal\n", files))
    assert [sample.patient for sample in found.samples] == ["patient03", "patient01"]


def test_warning_about_a_pattern_without_a_match(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build(tmp_path, "".join(["path,patient\n", *(f"{name},{name}\n" for name in FLAT)]))
    train(tmp_path, "x")
    assert not caplog.records
    (tmp_path / "manifest.csv").unlink()
    train(tmp_path, "x")
    assert "data.patient_pattern='x' matches 0 of 4 images" in caplog.text


def test_warning_about_a_patient_of_two_classes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build(tmp_path, "".join(["path,patient\n", *(f"{name},1\n" for name in FLAT)]))
    train(tmp_path)
    assert "1 of 1 patient IDs have images of more than one class" in caplog.text
