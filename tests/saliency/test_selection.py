"""Choice of the images to explain."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from xray.errors import DataError
from xray.saliency.selection import choose
from xray.types import Sample

CLASSES = ("normal", "pneumonia")


def sample(label: str, target: int, name: str) -> Sample:
    return Sample(Path("data/test") / label / f"{name}.png", target, label, patient=name)


def samples(**counts: int) -> list[Sample]:
    """Return `counts` samples of each label; all except "normal" are pneumonia."""
    return [
        sample(label.replace("_", " "), int(label != "normal"), f"{label}{i}")
        for label, count in counts.items()
        for i in range(count)
    ]


def labels(found: list[Sample], indices: list[int]) -> list[str]:
    return [found[i].label for i in indices]


def test_covid_first_and_then_an_equal_share_of_the_others() -> None:
    found = samples(normal=50, viral=10, COVID_19=20)
    chosen = choose(found, 8, 0, classes=CLASSES)
    assert labels(found, chosen) == ["COVID 19"] * 4 + ["normal", "viral"] * 2
    assert len(set(chosen)) == 8


def test_odd_place_goes_to_covid() -> None:
    found = samples(normal=5, covid=5)
    assert labels(found, choose(found, 3, 0, classes=CLASSES)) == ["covid", "covid", "normal"]


@pytest.mark.parametrize("label", ["COVID-19", "Covid", "covid", "Co_vid 19", "covid19"])
def test_spellings_of_covid(label: str) -> None:
    found = [sample("NORMAL", 0, "a"), sample(label, 1, "b")]
    assert choose(found, 2, 3, classes=CLASSES) == [1, 0]


def test_free_places_go_to_other_labels() -> None:
    found = samples(normal=1, viral=3, covid=9)
    assert Counter(labels(found, choose(found, 12, 0, classes=CLASSES))) == {
        "covid": 8,
        "viral": 3,
        "normal": 1,
    }
    scarce = samples(normal=9, covid=1)
    assert Counter(labels(scarce, choose(scarce, 6, 0, classes=CLASSES))) == {
        "covid": 1,
        "normal": 5,
    }


def test_all_images_if_more_are_requested() -> None:
    found = samples(normal=2, covid=2)
    assert sorted(choose(found, 99, 0, classes=CLASSES)) == [0, 1, 2, 3]
    assert choose([], 99, 0, classes=CLASSES) == []
    assert choose(found, 0, 0, classes=CLASSES) == []


def test_choice_is_seeded_and_leaves_the_global_generator_alone() -> None:
    found = samples(normal=50, covid=50)
    state = torch.get_rng_state()
    chosen = choose(found, 8, 5, classes=CLASSES)
    assert chosen == choose(found, 8, 5, classes=CLASSES)
    assert chosen != choose(found, 8, 6, classes=CLASSES)
    assert torch.equal(state, torch.get_rng_state())


def test_without_a_first_label() -> None:
    found = samples(normal=5, covid=5)
    chosen = choose(found, 4, 0, classes=CLASSES, first=None)
    assert labels(found, chosen) == ["covid", "normal", "covid", "normal"]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("covid", {"covid 19": 3}),
        ("COVID-19", {"covid 19": 3}),
        ("viral", {"viral": 2}),
        ("Pneumonia", {"covid 19": 3, "viral": 2}),
        ("normal", {"normal": 4}),
    ],
)
def test_restricted_to_one_label_or_class(only: str, expected: dict[str, int]) -> None:
    found = samples(normal=4, viral=2, covid_19=3)
    chosen = choose(found, 9, 0, classes=CLASSES, only=only)
    assert Counter(labels(found, chosen)) == expected


def test_unknown_label_names_the_known_ones() -> None:
    with pytest.raises(
        DataError,
        match=r"only=tb: .* Labels here: covid, normal\. Classes: normal, pneumonia\.",
    ):
        choose(samples(normal=4, covid=2), 4, 0, classes=CLASSES, only="tb")
