import pytest
from made_images import write_image

from xray.data.layout import find_layout
from xray.errors import DataError


def make(root, *folders):
    for name in folders:
        (root / name).mkdir(parents=True)
    return root


def test_split_folders_are_found_by_any_usual_name(tmp_path):
    make(tmp_path, "Train/a", "validation/a", "test/a", "__MACOSX")
    found = find_layout(tmp_path)
    assert {split: path.name for split, path in found.items()} == {
        "train": "Train",
        "val": "validation",
        "test": "test",
    }


def test_a_flat_root_is_all_train(tmp_path):
    assert find_layout(make(tmp_path, "normal", "covid")) == {"train": tmp_path}


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ([], "contains no folders"),
        (["test/a"], r"contains test/ but no train/"),
        (["chest_xray/train"], r"Pass data\.root=.*chest_xray"),
    ],
)
def test_another_layout_is_an_error_that_describes_the_expected_one(tmp_path, folders, message):
    with pytest.raises(DataError, match=message):
        find_layout(make(tmp_path, *folders))


def test_a_missing_root_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(DataError, match=r"does not exist: .*nowhere.*data=phantom"):
        find_layout(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        find_layout(tmp_path / "file")


@pytest.mark.parametrize(
    "folder", ["test_set", "holdout", "train2", "NORMAL", "chest_xray", "docs/pictures"]
)
def test_images_next_to_the_splits_are_an_error(tmp_path, folder):
    make(tmp_path, "train/normal", "test/normal", "empty")
    write_image(tmp_path / folder / "normal" / "a.png")
    with pytest.raises(DataError, match="belong to no split") as caught:
        find_layout(tmp_path)
    assert f": {folder.split('/')[0]}/." in str(caught.value)
    assert "val/ (or valid/, validation/)" in str(caught.value)


def test_folders_without_images_next_to_the_splits_are_accepted(tmp_path):
    make(tmp_path, "train/normal", "docs")
    (tmp_path / "docs" / "protocol.pdf").write_bytes(b"%PDF-1.7")
    write_image(tmp_path / "masks" / "lung" / "train" / "normal" / "a.png")
    write_image(tmp_path / "lung masks" / "a.png")
    assert find_layout(tmp_path) == {"train": tmp_path / "train"}


@pytest.mark.parametrize(
    ("one", "two"), [("val", "valid"), ("Test", "testing"), ("train", "Train")]
)
def test_two_folders_of_one_split_are_an_error_if_both_contain_images(tmp_path, one, two):
    make(tmp_path, "train/normal" if one != "train" else "test/normal")
    (tmp_path / one).mkdir(exist_ok=True)
    write_image(tmp_path / two / "normal" / "a.png")
    split = {"v": "val", "T": "test", "t": "train"}[one[0]]
    assert find_layout(tmp_path)[split] == tmp_path / two
    write_image(tmp_path / one / "normal" / "b.png")
    with pytest.raises(DataError, match=f"the split '{split}'") as caught:
        find_layout(tmp_path)
    assert {f"{one}/", f"{two}/"} <= set(str(caught.value).replace(",", "").split())


@pytest.mark.parametrize("key", ["root", "path"])
def test_messages_name_the_key_of_the_command(tmp_path, key):
    make(tmp_path / "wrapped images", "images/train/normal")
    for root in (tmp_path / "nowhere", tmp_path / "wrapped images"):
        with pytest.raises(DataError, match=f"Pass {key}=|Pass '{key}=|Pass \"{key}=") as error:
            find_layout(root, needs_train=False, key=key)
        assert "data.root" not in str(error.value)
        assert "data=phantom" not in str(error.value)
