import pytest

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


def test_flat_root_is_all_train(tmp_path):
    assert find_layout(make(tmp_path, "normal", "covid")) == {"train": tmp_path}


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ([], "holds no folders"),
        (["test/a"], r"holds test/ but no train/"),
        (["chest_xray/train"], r"Pass data\.root=.*chest_xray"),
    ],
)
def test_what_does_not_fit_says_what_was_expected(tmp_path, folders, message):
    with pytest.raises(DataError, match=message):
        find_layout(make(tmp_path, *folders))


def test_missing_root_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"does not exist: .*nowhere.*data=phantom"):
        find_layout(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        find_layout(tmp_path / "file")
