import shutil

import pytest
from made_images import write_image

from xray.data.datamodule import XrayDataModule
from xray.errors import DataError
from xray.types import SPLITS

GROUPS = {"normal": [], "pneumonia": ["covid"]}
# Two images per patient; the patient ID contains the position of the folder in this list.
TREE = {"train/NORMAL": 12, "train/PNEUMONIA": 12, "test/NORMAL": 4, "test/Covid": 4}


def module(root, transforms, **options):
    return XrayDataModule(
        root, GROUPS, transforms, **{"size": 32, "workers": 0, "val_fraction": 0.3, **options}
    )


def names(data, split):
    return {sample.path.name for sample in data.dataset(split).samples}


@pytest.fixture
def leaky(make_tree):
    """Dataset with a test patient in train, and a copy of a test image with another patient ID."""
    root = make_tree(TREE)
    write_image(root / "train/NORMAL/patient0200_09.png", level=90, seed=900)
    shutil.copy(root / "test/Covid/patient0300_00.png", root / "train/PNEUMONIA/patient0900_00.png")
    return root


def test_a_dataset_without_overlaps_is_clean(make_tree, transforms):
    certificate = module(make_tree(TREE), transforms).certificate()
    assert certificate.verdict == "clean"
    assert certificate.as_dict()["findings"] == {}
    assert certificate.dropped == {"train": 0, "val": 0}


def test_images_that_overlap_with_the_test_split_are_removed_from_training(leaky, transforms):
    data = module(leaky, transforms)
    certificate = data.certificate()
    assert certificate.verdict == "clean"
    assert certificate.as_dict()["findings"] == {
        "patient_overlap": {"within": 0, "across": 1},
        "exact_duplicate": {"within": 0, "across": 1},
    }
    assert certificate.dropped == {"train": 2, "val": 0}
    assert len(data.dataset("test")) == 8
    assert sum(len(data.dataset(split)) for split in SPLITS) == 32
    assert not {"patient0200_09.png", "patient0900_00.png"} & names(data, "train")


def test_keep_uses_all_images_and_reports_leaks(leaky, transforms):
    data = module(leaky, transforms, leaks="keep")
    assert (data.certificate().verdict, data.certificate().remaining) == ("leaks found", 2)
    assert sum(len(data.dataset(split)) for split in SPLITS) == 34
    assert data.state_dict()["certificate"]["verdict"] == "leaks found"


def test_error_stops_and_names_the_overlaps(leaky, transforms):
    with pytest.raises(DataError, match=r"2 overlaps.*patient0200.*patient0900.*data\.leaks=drop"):
        module(leaky, transforms, leaks="error").setup()


def test_a_val_folder_that_overlaps_with_train_stays_whole(make_tree, transforms):
    root = make_tree({**TREE, "val/NORMAL": 4, "val/Covid": 4})
    write_image(root / "train/NORMAL/patient0400_09.png", seed=901)
    write_image(root / "val/Covid/patient0300_09.png", seed=902)
    data = module(root, transforms, min_val=0)
    assert data.certificate().dropped == {"train": 1, "val": 1}
    assert len(data.dataset("val")) == 8


def test_duplicates_are_held_out_together(make_tree, transforms):
    root = make_tree({"normal": 20, "covid": 20})
    for i in range(10):
        source = root / f"normal/patient00{i:02d}_00.png"
        shutil.copy(source, root / f"normal/patient9{i}00_00.png")
    data = module(root, transforms)
    assert data.certificate().verdict == "clean"
    assert data.certificate().as_dict()["findings"]["exact_duplicate"] == {
        "within": 10,
        "across": 0,
    }
    copied = {f"patient00{i:02d}_00.png": f"patient9{i}00_00.png" for i in range(10)}
    for split in SPLITS:
        found = names(data, split)
        assert all((copy in found) == (name in found) for name, copy in copied.items())


def test_images_without_patient_id_are_reported_as_unknown_patients(make_tree, transforms):
    root = make_tree(TREE)
    for folder in ("train/NORMAL", "test/NORMAL"):
        write_image(root / folder / "scan.png", seed=800 + len(folder))
    assert module(root, transforms).certificate().verdict == "unknown patients"
    assert module(root, transforms).certificate().unknown_patients == 2


def test_without_an_audit_the_verdict_is_not_audited(leaky, transforms):
    data = module(leaky, transforms, audit=False)
    assert data.certificate().verdict == "not audited"
    # The patient ID is in the file name.
    assert data.certificate().dropped == {"train": 1, "val": 0}


def test_folds_divide_the_dataset_if_it_has_no_test_split(make_tree, transforms):
    root = make_tree({"normal": 20, "covid": 20})
    parts = [names(module(root, transforms, folds=5, fold=k), "test") for k in range(5)]
    assert [len(part) for part in parts] == [8] * 5
    assert len(set.union(*parts)) == 40


def test_folds_divide_the_training_images_if_there_is_a_test_split(make_tree, transforms):
    root = make_tree({**TREE, "val/NORMAL": 4, "val/Covid": 4})
    modules = [module(root, transforms, min_val=0, folds=4, fold=k) for k in range(4)]
    assert {frozenset(names(data, "test")) for data in modules} == {
        frozenset(path.name for path in (root / "test").rglob("*.png"))
    }
    assert len(set.union(*(names(data, "val") for data in modules))) == 32


def test_bad_files_are_an_error_or_are_skipped(make_tree, transforms):
    root = make_tree(TREE)
    (root / "train/NORMAL/patient0777_00.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 33 files.*patient0777_00.png is empty.*=skip"):
        module(root, transforms).setup()
    data = module(root, transforms, on_bad_file="skip")
    assert sum(len(data.dataset(split)) for split in SPLITS) == 32
    assert data.certificate().skipped == 1
    assert data.certificate().as_dict()["findings"] == {"bad_file": {"within": 1, "across": 0}}


def test_a_class_without_remaining_training_images_is_an_error(make_tree, transforms):
    root = make_tree(TREE)
    shutil.rmtree(root / "train/PNEUMONIA")
    shutil.copytree(root / "test/Covid", root / "train/PNEUMONIA")
    with pytest.raises(DataError, match=r"All 4 training images of class 'pneumonia' overlap"):
        module(root, transforms).setup()


def test_a_val_folder_loses_the_patients_held_out_for_the_test(make_tree, transforms):
    root = make_tree({"train/NORMAL": 24, "train/Covid": 24})
    # Half of the 12 patients of each class are in val, too.
    for i in range(6):
        for place, folder in enumerate(("NORMAL", "Covid")):
            path = root / "val" / folder / f"patient{place:02d}{i:02d}_09.png"
            write_image(path, level=90 + 60 * place, seed=1000 + 2 * i + place)
    data = module(root, transforms, min_val=0, test_fraction=0.5)
    certificate = data.certificate()
    assert certificate.verdict == "clean"
    # Some of the 12 patients are held out for the test and leave val; the others leave train with
    # both of their images.
    train, val = certificate.dropped["train"], certificate.dropped["val"]
    assert train / 2 + val == 12
    assert min(train, val) > 0
    assert len(data.dataset("test")) == 24


def test_a_val_folder_with_too_few_usable_images_is_added_to_train(make_tree, transforms, caplog):
    caplog.set_level("INFO")
    root = make_tree({**TREE, "val/NORMAL": 4, "val/Covid": 4})
    for folder in ("NORMAL", "Covid"):
        shutil.copytree(root / "test" / folder, root / "val" / folder, dirs_exist_ok=True)
    data = module(root, transforms, min_val=9)
    data.setup()
    assert "val/ has 8 usable images, fewer than data.min_val" in caplog.text
    assert data.certificate().verdict == "clean"
    assert data.certificate().dropped == {"train": 8, "val": 0}
    assert len(module(root, transforms, min_val=8).dataset("val")) == 8


def test_a_val_folder_that_equals_the_test_folder_is_an_error(make_tree, transforms):
    root = make_tree(TREE)
    shutil.copytree(root / "test", root / "val")
    with pytest.raises(DataError, match=r"All 8 images of val/ overlap with the test images"):
        module(root, transforms, min_val=0).setup()
