from pathlib import Path

import pytest

from xray.data.split import carve
from xray.errors import DataError
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


def test_patients_stay_together_and_classes_keep_their_share():
    data = samples(20, 40)
    kept, carved = carve(data, 0.2, classes=CLASSES, seed=0, name="val")
    assert sorted(kept + carved) == list(range(180))
    assert not {data[i].patient for i in kept} & {data[i].patient for i in carved}
    assert [sum(data[i].target == t for i in carved) for t in (0, 1)] == [12, 24]


def test_seed_decides():
    data = samples(20, 20)
    first, again, other = (
        carve(data, 0.2, classes=CLASSES, seed=s, name="val")[1] for s in (0, 0, 1)
    )
    assert first == again != other


def test_a_rare_class_is_on_both_sides_and_the_share_is_kept():
    data = samples(100, 2, images=1)
    kept, carved = carve(data, 0.2, classes=CLASSES, seed=0, name="val")
    assert len(carved) == pytest.approx(20, abs=2)
    assert {data[i].target for i in kept} == {data[i].target for i in carved} == {0, 1}


def test_fewer_patients_than_folds():
    kept, carved = carve(samples(2, 3), 0.1, classes=CLASSES, seed=0, name="val")
    assert len(kept) + len(carved) == 15
    assert carved


def test_one_patient_cannot_be_split():
    with pytest.raises(
        DataError, match=r"test cannot be carved.*'normal' has a single patient, '0-0'"
    ):
        carve(samples(1, 9), 0.2, classes=CLASSES, seed=0, name="test")
