from xray.data.phantom import PhantomDataModule
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
