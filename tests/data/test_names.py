import pytest

from xray.data.names import fold_name, is_hidden, is_mask_folder, is_noise, mask_test, split_of


def test_case_and_punctuation_are_normalized():
    assert fold_name(" COVID_19-(x) ") == "covid 19 x"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train", "train"),
        ("TRAINING", "train"),
        ("valid", "val"),
        ("Validation", "val"),
        ("test", "test"),
        ("test_set", None),
        ("train2", None),
        ("holdout", None),
    ],
)
def test_split_folders(name, split):
    assert split_of(name) == split


@pytest.mark.parametrize(
    "name",
    ["mask", "Masks", "lung masks", "Lung_Mask", "infection masks", "ManualMask", "leftMask",
     "mask-left", "segmentations", "lung-segmentation", "Ground Truth"],
)  # fmt: skip
def test_mask_folders(name):
    assert is_mask_folder(name)
    assert is_noise(name)


@pytest.mark.parametrize(
    "name",
    ["unmasked", "masked", "maskell", "mask0001", "Mask John", "without mask", "no_masks",
     "lungs", "left", "normal", "segments"],
)  # fmt: skip
def test_innocent_folder_names_are_not_masks(name):
    assert not is_mask_folder(name)


def test_hidden_names():
    assert [is_hidden(name) for name in ("__MACOSX", ".git", "._a.png", "masks", "a.png")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def masks(*names):
    is_mask = mask_test(names)
    return [name for name in names if is_mask(name)]


@pytest.mark.parametrize(
    "name",
    ["a_mask.png", "a-Mask.PNG", "a mask.png", "aMask.png", "a_lung_mask.png", "a_mask_left.png",
     "a_mask_2.png", "a_masks.png", "a_seg.png", "a_segmentation.jpg", "mask.png",
     "CHNCXR_0001_0_mask.png"],
)  # fmt: skip
def test_mask_files_are_known_by_their_own_name(name):
    assert masks(name) == [name]


@pytest.mark.parametrize(
    ("mask", "image"),
    [
        ("a_lung.png", "a.png"),
        ("a_left_lung.png", "a.jpg"),
        ("a-label.png", "a.png"),
        ("mask_a.png", "a.png"),
        ("mask_02.png", "image_02.png"),
    ],
)
def test_an_ambiguous_name_is_a_mask_only_next_to_its_image(mask, image):
    assert masks(mask, image) == [mask]
    assert masks(mask, "other.png") == []


@pytest.mark.parametrize(
    "name",
    ["unmasked_1.png", "maskell_3.png", "mask0007_01.png", "a_unmasked.png", "a_without_mask.png",
     "lung_1.png", "john_mask_0012.png", "IM-0001-0001.jpeg", "person1_bacteria_1.jpeg"],
)  # fmt: skip
def test_innocent_file_names_are_not_masks(name):
    assert masks(name, "a.png") == []
