from pathlib import Path

import pytest

from xray.data.split import hold_out
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


def split(data: list[Sample], folds: int, seed: int = 0, fold: int | None = None):
    names = [sample.owner for sample in data]
    clusters = [names.index(name) for name in names]
    return hold_out(data, clusters, folds, fold=fold, classes=CLASSES, seed=seed, name="val")


def test_patients_stay_together_and_classes_keep_their_share():
    data = samples(20, 40)
    remaining, held_out = split(data, 5)
    assert sorted(remaining + held_out) == list(range(180))
    assert not {data[i].patient for i in remaining} & {data[i].patient for i in held_out}
    assert [sum(data[i].target == t for i in held_out) for t in (0, 1)] == [12, 24]


def test_the_split_depends_on_the_seed():
    data = samples(20, 20)
    first, again, other = (split(data, 5, seed)[1] for seed in (0, 0, 1))
    assert first == again != other


def test_folds_are_disjoint_and_cover_all_samples():
    data = samples(20, 20)
    parts = [split(data, 4, fold=fold)[1] for fold in range(4)]
    assert sorted(i for part in parts for i in part) == list(range(len(data)))
    assert [len(part) for part in parts] == [30, 30, 30, 30]


def test_a_rare_class_is_on_both_sides():
    data = samples(100, 2, images=1)
    remaining, held_out = split(data, 5)
    assert len(held_out) == pytest.approx(20, abs=2)
    assert {data[i].target for i in remaining} == {data[i].target for i in held_out} == {0, 1}


def test_fewer_patients_than_folds():
    remaining, held_out = split(samples(2, 3), 10)
    assert len(remaining) + len(held_out) == 15
    assert held_out


def test_more_folds_than_patients_are_an_error():
    with pytest.raises(ConfigError, match=r"data\.folds is 4, but class 'normal' has 3 patients"):
        split(samples(3, 9), 4, fold=0)


def test_a_class_with_one_patient_is_an_error():
    with pytest.raises(
        DataError, match=r"val split cannot be held out.*'normal' has a single patient, '0-0'"
    ):
        split(samples(1, 9), 5)
