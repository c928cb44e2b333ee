from collections import Counter
from pathlib import Path

import pytest

from benchmarks.composed import groups
from benchmarks.subset import draw, quota, write_subset
from xray.data.folder import XrayFolder
from xray.data.groups import Groups
from xray.data.patients import compile_patient_pattern
from xray.types import Sample


def pool(patients, views):
    """Return `views` images of each patient; three of four patients are sick."""
    return [
        Sample(Path(f"{patient}/{view}.png"), int(patient % 4 > 0), "", str(patient))
        for patient in range(patients)
        for view in range(views)
    ]


def test_splits_have_the_class_shares_and_no_common_patients():
    chosen = draw(pool(40, 3), {"val": 8, "train": 40})
    targets = {name: Counter(s.target for s in samples) for name, samples in chosen.items()}
    assert targets == {"val": {0: 2, 1: 6}, "train": {0: 10, 1: 30}}
    patients = {name: {s.owner for s in samples} for name, samples in chosen.items()}
    assert not patients["val"] & patients["train"]
    paths = [s.path for samples in chosen.values() for s in samples]
    assert len(set(paths)) == 48


def test_choice_depends_on_the_seed_only():
    images = pool(40, 2)
    one, other = draw(images, {"val": 8}), draw(images[::-1], {"val": 8})
    assert one == other
    assert one != draw(images, {"val": 8}, seed=1)


def test_patient_with_two_classes_is_in_one_split():
    both = [Sample(Path(f"p{k}-{t}"), t, "", f"p{k}") for k in range(8) for t in (0, 1)]
    chosen = draw(both, {"val": 4, "train": 8})
    assert [len(samples) for samples in chosen.values()] == [4, 8]
    val, train = ({s.owner for s in samples} for samples in chosen.values())
    assert not val & train


@pytest.mark.parametrize(
    ("sizes", "count", "shares"),
    [
        # 128 * 1341 / 5216 = 32.9 and 95.1.
        ({0: 1341, 1: 3875}, 128, {0: 33, 1: 95}),
        ({0: 1, 1: 99}, 10, {0: 1, 1: 9}),
        ({0: 5, 1: 5}, 6, {0: 3, 1: 3}),
    ],
)
def test_images_are_distributed_among_classes(sizes, count, shares):
    assert quota(sizes, count) == shares


def test_subset_is_linked_by_class_without_test_images(make_tree, tmp_path):
    tree = {"train/NORMAL": 12, "train/Covid": 8, "train/Viral Pneumonia": 8, "test/NORMAL": 4}
    root = make_tree(tree)
    # Of another folder and another patient, by the name of one that is there.
    same = sorted((root / "train/Covid").iterdir())[0]
    same.rename(root / "train/Viral Pneumonia" / same.name)
    same.write_bytes((root / "train/Viral Pneumonia" / same.name).read_bytes())
    target = tmp_path / "subset"
    write_subset(root, target, {"val": 7, "train": 14}, groups())
    pattern = compile_patient_pattern(None)
    owners = []
    for split, wanted in (("val", {0: 3, 1: 4}), ("train", {0: 6, 1: 8})):
        records = XrayFolder(target / split, Groups(groups()), pattern).records
        assert Counter(record.target for record in records) == wanted
        assert all(record.path.resolve().parents[1].name == "train" for record in records)
        owners.append({record.patient for record in records})
    assert None not in owners[0] | owners[1]
    assert not owners[0] & owners[1]


def test_files_of_the_same_name_are_kept_and_copied_without_links(make_tree, tmp_path, monkeypatch):
    root = make_tree({"train/normal": 4, "train/pneumonia": 2, "train/covid": 2})
    for path in sorted((root / "train/covid").iterdir()):
        path.rename(path.with_name(path.name.replace("patient02", "patient01")))

    def refuse(path, source):
        raise OSError

    monkeypatch.setattr(Path, "symlink_to", refuse)
    write_subset(root, tmp_path / "subset", {"train": 8}, groups())
    folder = tmp_path / "subset/train/pneumonia"
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    assert found == [f"{again}patient0100_0{i}.png" for again in ("2/", "") for i in (0, 1)]
    assert not any(path.is_symlink() for path in (tmp_path / "subset").rglob("*"))


def test_too_few_images(make_tree, tmp_path):
    root = make_tree({"train/normal": 4, "train/covid": 4})
    with pytest.raises(SystemExit, match="8 images are 4 too few for train=12"):
        write_subset(root, tmp_path / "subset", {"train": 12}, groups())
    with pytest.raises(SystemExit, match=r"root=.*nowhere.*does not exist"):
        write_subset(tmp_path / "nowhere", tmp_path / "subset", {"train": 2}, groups())
