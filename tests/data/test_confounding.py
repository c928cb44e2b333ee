from pathlib import Path

import pytest

from xray.data.confounding import find_confounding
from xray.types import Sample

CLASSES = ("normal", "pneumonia", "covid")


def samples(**counts):
    """Make samples from {class: {source: number of images}}."""
    return [
        Sample(Path(f"{name}{source}{i}.png"), CLASSES.index(name), name, None, source)
        for name, sources in counts.items()
        for source, n in sources.items()
        for i in range(n)
    ]


def test_children_in_one_class_and_adults_in_another():
    mixed = samples(normal={"kermany": 9, "nih": 1}, covid={"covid_chestxray": 10})
    (message,) = find_confounding(mixed, CLASSES)
    assert "age" in message
    assert "normal: kermany 90%, nih 10%; covid: covid_chestxray 100%" in message


@pytest.mark.parametrize("other", [{}, {"pneumonia": {"a": 5, "b": 5}}])
def test_two_classes_from_different_sources(other):
    mixed = samples(normal={"a": 8}, covid={"b": 5, "c": 5}, **other)
    (message,) = find_confounding(mixed, CLASSES)
    assert message.startswith("Class and source are confounded")
    assert "normal: a 100%; covid: b 50%, c 50%" in message


@pytest.mark.parametrize(
    "counts",
    [
        {"normal": {"a": 5, "b": 5}, "covid": {"a": 4, "b": 6}},
        {"normal": {"kermany": 5}, "pneumonia": {"kermany": 5}},
        {"normal": {"": 5}, "covid": {"": 5}},
        {"normal": {"a": 5}, "covid": {"": 5}},
    ],
)
def test_shared_or_unknown_sources_cause_no_warning(counts):
    assert list(find_confounding(samples(**counts), CLASSES)) == []
