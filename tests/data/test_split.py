from pathlib import Path

import pytest

from xray.data.split import carve
from xray.errors import ConfigError, DataError
from xray.types import Sample

CLASSES = ("normal", "pneumonia")


def samples(normal: int, pneumonia: int, images: int = 3) -> list[Sample]:
    counts = ((0, normal), (1, pneumonia))
    return [
        Sample(Path(f"{target}{p}{i}.png"), target, CLASSES[target], f"{target}-{p}")
        for target, patients in counts
        for p in range(patients)
        for i in range(images)
    ]


def cut(data: list[Sample], folds: int, seed: int = 0, fold: int | None = None):
    names = [sample.owner for sample in data]
    clusters = [names.index(name) for name in names]
    return carve(data, clusters, folds, fold=fold, classes=CLASSES, seed=seed, name="val")


def test_patients_stay_together_and_classes_keep_their_share():
    data = samples(20, 40)
    kept, carved = cut(data, 5)
    assert sorted(kept + carved) == list(range(180))
    assert not {data[i].patient for i in kept} & {data[i].patient for i in carved}
    assert [sum(data[i].target == t for i in carved) for t in (0, 1)] == [12, 24]


def test_seed_decides():
    data = samples(20, 20)
    first, again, other = (cut(data, 5, seed)[1] for seed in (0, 0, 1))
    assert first == again != other


def test_folds_share_nothing_and_make_up_the_whole():
    data = samples(20, 20)
    carved = [cut(data, 4, fold=fold)[1] for fold in range(4)]
    assert sorted(i for part in carved for i in part) == list(range(len(data)))
    assert [len(part) for part in carved] == [30, 30, 30, 30]


def test_a_rare_class_is_on_both_sides_and_the_share_is_kept():
    data = samples(100, 2, images=1)
    kept, carved = cut(data, 5)
    assert len(carved) == pytest.approx(20, abs=2)
    assert {data[i].target for i in kept} == {data[i].target for i in carved} == {0, 1}


def test_fewer_patients_than_folds():
    kept, carved = cut(samples(2, 3), 10)
    assert len(kept) + len(carved) == 15
    assert carved


def test_a_fold_of_more_folds_than_patients_is_refused():
    with pytest.raises(ConfigError, match=r"data\.folds is 4, but class 'normal' has 3 patients"):
        cut(samples(3, 9), 4, fold=0)


def test_one_patient_cannot_be_split():
    with pytest.raises(
        DataError, match=r"val cannot be carved.*'normal' has a single patient, '0-0'"
    ):
        cut(samples(1, 9), 5)
