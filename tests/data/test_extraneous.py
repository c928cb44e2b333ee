import shutil

import pytest
from made_images import write_image

from xray.data.extraneous import (
    ClassFiles,
    describe_unread,
    find_outside,
    has_images,
    summarize,
)
from xray.data.groups import Groups
from xray.data.layout import find_layout
from xray.errors import DataError

GROUPS = Groups({"normal": ["healthy"], "pneumonia": ["virus", "bacteria"]})


def files(folder):
    return ClassFiles(folder, GROUPS)


def names(folder):
    return [path.relative_to(folder).as_posix() for path in files(folder).images]


def reasons(folder, kind):
    found = files(folder).extraneous
    return {f.path.relative_to(folder).as_posix(): f.reason for f in found if f.kind == kind}


def test_images_at_any_depth_in_the_order_of_image_folder(tmp_path):
    from torchvision.datasets.folder import make_dataset

    root = tmp_path / "set"
    for name in ("b.png", "a/c.png", "a-b/d.png", "a/z/e.png", "A/f.png", "10.png", "9.png"):
        write_image(root / "normal" / name)
    expected = make_dataset(str(root), {"normal": 0}, extensions=(".png",))
    assert [str(path) for path in files(root / "normal").images] == [path for path, _ in expected]


@pytest.mark.parametrize("folder", ["mask", "lung masks", "Segmentations", "deep/ManualMask"])
def test_masks_in_folders_are_counted_and_not_used(tmp_path, folder):
    write_image(tmp_path / "normal" / "images" / "a.png")
    for name in ("a.png", "left/a.png"):
        write_image(tmp_path / "normal" / folder / name)
    (tmp_path / "normal" / folder / "notes.txt").write_text("of masks")
    assert names(tmp_path / "normal") == ["images/a.png"]
    assert set(reasons(tmp_path / "normal", "mask")) == {f"{folder}/a.png", f"{folder}/left/a.png"}


def test_masks_next_to_their_images_are_not_used(tmp_path):
    for name in ("a.png", "a_mask.png", "a_lung.png", "b-segmentation.png", "unmasked.png"):
        write_image(tmp_path / "normal" / name)
    assert names(tmp_path / "normal") == ["a.png", "unmasked.png"]
    assert set(reasons(tmp_path / "normal", "mask")) == {
        "a_mask.png",
        "a_lung.png",
        "b-segmentation.png",
    }


@pytest.mark.parametrize("inner", ["PNEUMONIA", "virus", "deep/Bacteria"])
def test_a_folder_of_another_class_below_a_class_is_an_error(tmp_path, inner):
    folder = tmp_path / "NORMAL"
    write_image(folder / inner / "a.png")
    with pytest.raises(DataError, match="'pneumonia'") as caught:
        files(folder)
    assert str(folder / inner) in str(caught.value)
    assert f"inside {folder}" in str(caught.value)
    assert f"Move it to {tmp_path / (folder / inner).name}" in str(caught.value)


@pytest.mark.parametrize("split", ["train", "test", "Validation"])
def test_a_split_below_a_class_is_an_error(tmp_path, split):
    write_image(tmp_path / "data" / "normal" / split / "a.png")
    with pytest.raises(DataError, match="named like a split") as caught:
        files(tmp_path / "data" / "normal")
    assert str(tmp_path / "data" / "normal" / split) in str(caught.value)
    assert f"move its images to {tmp_path / 'data' / split / 'normal'}" in str(caught.value)
    write_image(tmp_path / "train" / "normal" / split / "a.png")
    with pytest.raises(DataError) as caught:
        files(tmp_path / "train" / "normal")
    assert f"move its images to {tmp_path / split / 'normal'}" in str(caught.value)


def test_folders_of_the_same_class_and_folders_without_images_are_accepted(tmp_path):
    folder = tmp_path / "PNEUMONIA"
    for name in ("BACTERIA/a.png", "virus/b.png", "pneumonia/c.png", "images/d.png"):
        write_image(folder / name)
    for name in ("test", "normal", "train/masks"):
        (folder / name).mkdir(parents=True)
    write_image(folder / "train" / "masks" / "a.png")
    assert names(folder) == ["BACTERIA/a.png", "images/d.png", "pneumonia/c.png", "virus/b.png"]


def test_links_to_a_folder_that_contains_them_are_not_followed(tmp_path):
    image = write_image(tmp_path / "set" / "covid" / "a.png")
    other = write_image(tmp_path / "other" / "b.png")
    (image.parent / "self").symlink_to(image.parent, target_is_directory=True)
    (image.parent / "root").symlink_to(tmp_path, target_is_directory=True)
    (image.parent / "other").symlink_to(other.parent, target_is_directory=True)
    # A cycle of two links.
    (other.parent / "back").symlink_to(image.parent, target_is_directory=True)
    assert names(image.parent) == ["a.png", "other/b.png"]
    loop = "a link to a folder that contains it"
    assert reasons(image.parent, "ignored") == dict.fromkeys(("root", "self", "other/back"), loop)


def test_other_files_are_listed_with_their_reason(tmp_path):
    folder = tmp_path / "normal"
    image = write_image(folder / "a.png")
    for name in ("._a.png", "b.jfi", "no_extension", ".cache/c.png", "__MACOSX/d.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(image, folder / name)
    (folder / "notes.txt").write_text("read me")
    (folder / "f.gif").write_bytes(b"GIF89a" + bytes(40))
    matching = "contains a PNG image: rename it with a matching extension to use it"
    assert reasons(folder, "ignored") == {
        "._a.png": "a hidden file",
        ".cache": "a hidden folder",
        "__MACOSX": "archive metadata",
        "notes.txt": "is text, not an image",
    }
    unread = reasons(folder, "unread")
    assert {unread.pop(name) for name in ("b.jfi", "no_extension")} == {matching}
    assert list(unread) == ["f.gif"]
    found = summarize([f.finding(tmp_path, "train") for f in files(folder).extraneous])
    assert found == {"masks": 0, "outside": 0, "unread": {"": 1, ".gif": 1, ".jfi": 1}}
    assert describe_unread(found["unread"]) == "without extension 1, .gif 1, .jfi 1"


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    write_image(tmp_path / "normal" / "deep" / "a.png")
    listed = __import__("os").scandir

    def scandir(folder):
        if str(folder).endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr("xray.data.extraneous.os.scandir", scandir)
    with pytest.raises(DataError, match=r"deep cannot be listed \(Permission denied\)"):
        files(tmp_path / "normal")


def test_images_outside_the_class_folders(tmp_path):
    for name in (
        "a.png",
        "train/b.jpg",
        "train/normal/c.png",
        "train/masks/normal/c.png",
        "masks/lung/train/normal/c.png",
        "lung masks/c.png",
    ):
        write_image(tmp_path / name)
    (tmp_path / "README.md").write_text("of the dataset")
    (tmp_path / "train" / "labels.csv").write_text("a,b")
    found = [(f.path.relative_to(tmp_path).as_posix(), f.kind)
             for f in find_outside(tmp_path, find_layout(tmp_path))]  # fmt: skip
    # The masks of images are in masks/ below the root, where the evaluation looks for them.
    assert sorted(found) == [
        ("a.png", "outside"),
        ("lung masks/c.png", "mask"),
        ("train/b.jpg", "outside"),
        ("train/masks/normal/c.png", "mask"),
    ]


def test_a_folder_has_images_unless_they_are_masks_or_hidden(tmp_path):
    for name in ("masks/a.png", ".cache/a.png", "deep/.a.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert not has_images(tmp_path)
    (tmp_path / "deep" / "a.TIF").write_bytes(b"")
    assert has_images(tmp_path)
