import shutil

import pytest
from dicoms import dataset, radiograph, write
from made_images import write_image

from xray.data.folder import XrayFolder
from xray.data.groups import Groups
from xray.data.patients import compile_patient_pattern
from xray.errors import DataError

GROUPS = Groups({"normal": [], "pneumonia": ["covid"]})


def folder(root, pattern=None):
    return XrayFolder(root, GROUPS, compile_patient_pattern(pattern))


def test_an_image_without_a_patient_id_counts_as_a_patient(tmp_path):
    write_image(tmp_path / "normal" / "a.png")
    write_image(tmp_path / "covid" / "a.png")
    found = folder(tmp_path)
    assert [record.patient for record in found.records] == [None, None]
    assert len({record.owner for record in found.records}) == 2


def test_group_1_of_a_pattern_is_the_patient_id(tmp_path):
    write_image(tmp_path / "normal" / "study-7-b.png")
    assert folder(tmp_path, r"study-(\d+)").records[0].patient == "7"


def test_classes_are_numbered_by_the_configuration(tmp_path):
    write_image(tmp_path / "Covid" / "a.png")
    found = folder(tmp_path)
    assert found.classes == ["normal", "pneumonia"]
    assert [(r.target, r.label) for r in found.records] == [(1, "Covid")]
    image, target = found[0]
    assert (image.shape, target) == ((40, 40), 1)


def test_hidden_files_and_masks_are_not_used(tmp_path):
    image = write_image(tmp_path / "normal" / "deep" / "a.png")
    for path in (
        "__MACOSX/x.png",
        "masks/m.png",
        "normal/._a.png",
        "normal/masks/a.png",
        "normal/.hidden/a.png",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, tmp_path / path)
    (tmp_path / "normal" / "notes.txt").write_text("x")
    (tmp_path / "normal" / "loop").symlink_to(tmp_path / "normal", target_is_directory=True)
    assert [record.path for record in folder(tmp_path).records] == [image]


def test_a_link_to_a_folder_with_a_similar_name_is_followed(tmp_path):
    image = write_image(tmp_path / "covid" / "a.png")
    write_image(tmp_path / "covid_vs_normal" / "normal" / "b.png")
    (tmp_path / "covid_vs_normal" / "covid").symlink_to(image.parent, target_is_directory=True)
    assert [r.label for r in folder(tmp_path / "covid_vs_normal").records] == ["covid", "normal"]


def test_unknown_folder_and_no_images_are_errors(tmp_path):
    with pytest.raises(DataError, match="contains no class folders"):
        folder(tmp_path)
    (tmp_path / "normal").mkdir()
    with pytest.raises(DataError, match=r"contains no image \(.*\.dcm, .*\.png"):
        folder(tmp_path)
    write_image(tmp_path / "normal" / "a.png")
    (tmp_path / "docs").mkdir()
    assert len(folder(tmp_path)) == 1
    write_image(tmp_path / "cats" / "b.png")
    write_image(tmp_path / "dogs" / "c.png")
    with pytest.raises(DataError, match=r"belong to no class: 'cats', 'dogs'"):
        folder(tmp_path)


@pytest.mark.parametrize("suffix", [".dcm", ".DICOM"])
def test_dicom_is_read_along_with_other_formats(tmp_path, suffix):
    write_image(tmp_path / "normal" / "a.png")
    write(dataset(radiograph(), 12), tmp_path / "normal" / f"b{suffix}")
    found = folder(tmp_path)
    assert [record.path.name for record in found.records] == ["a.png", f"b{suffix}"]
    assert found[1][0].shape == (120, 160)
