import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from xray.data.phantom import PhantomDataModule
from xray.errors import DataError
from xray.types import SPLITS


def test_phantoms_are_drawn_once_for_each_set_of_numbers(tmp_path, transforms):
    def module(**changed):
        numbers = {"patients": dict.fromkeys(SPLITS, 4), "views": 1, "drawing_seed": 0}
        groups = {"normal": [], "pneumonia": ["covid"]}
        return PhantomDataModule(
            tmp_path, groups, transforms, size=32, workers=0, min_val=0, **{**numbers, **changed}
        )

    data = module()
    data.prepare_data()
    assert [len(data.dataset(split)) for split in SPLITS] == [4, 4, 4]
    assert {s.label for s in data.dataset("test").samples} == {"normal", "pneumonia", "covid"}
    assert data.describe()["audit"]["verdict"] == "clean"
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    module().prepare_data()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")} == written
    other = module(drawing_seed=1)
    other.prepare_data()
    assert other.root != data.root
    assert len(list(tmp_path.iterdir())) == 2


DRAWING = {"patients": {"train": 4, "val": 4, "test": 4}, "views": 1, "drawing_seed": 0, "size": 32}
GROUPS = {"normal": ["healthy"], "pneumonia": ["covid"]}


@pytest.mark.parametrize(
    "image",
    [
        "NORMAL/a.png",
        "healthy/patient1/a.jpg",
        "train/unknown/a.png",
        "test/NORMAL/a.dcm",
        "images/a.png",
        "sick/a.tif",
        "a.png",
    ],
)
def test_phantoms_are_not_drawn_next_to_images(tmp_path, transforms, image):
    path = tmp_path / "my x-rays" / image
    path.parent.mkdir(parents=True)
    path.touch()
    data = PhantomDataModule(tmp_path / "my x-rays", GROUPS, transforms, **DRAWING)
    with pytest.raises(DataError, match="data=phantom draws") as caught:
        data.prepare_data()
    assert image in str(caught.value)
    remedy = str(caught.value).partition("pass: ")[2].partition(". To draw")[0]
    option, root = shlex.split(remedy)
    assert option == "data=folder"
    assert OverridesParser.create().parse_override(root).value() == str(tmp_path / "my x-rays")
    assert not list((tmp_path / "my x-rays").glob("*phantoms-*"))


@pytest.mark.parametrize("existing", [None, "empty/", "kermany/train/NORMAL/a.png"])
def test_phantoms_are_drawn_next_to_prepared_datasets(tmp_path, transforms, existing):
    root = tmp_path / "data"
    if existing:
        (root / existing).parent.mkdir(parents=True)
        (root / existing).mkdir() if existing.endswith("/") else (root / existing).touch()
    data = PhantomDataModule(root, GROUPS, transforms, **DRAWING)
    data.prepare_data()
    assert (data.root / "phantoms.json").is_file()
    data.prepare_data()
