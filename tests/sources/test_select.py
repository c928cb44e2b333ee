"""Splits of prepared datasets."""

from collections import defaultdict
from pathlib import Path

from xray.sources.base import Item
from xray.sources.select import Chosen, split_images

CLASSES = ("normal", "pneumonia")


def images() -> list[Chosen]:
    """Return 12 patients with two images each, one of them marked as validation."""
    return [
        Chosen("d", Item(Path(f"{p}{split}.png"), name, patient=f"p{p}"), name, split, f"{p}.png")
        for p in range(12)
        for name in [CLASSES[p % 2]]
        for split in ("train", "val")
    ]


def test_hold_out_ignores_the_split_of_the_dataset():
    splits = defaultdict(set)
    for one in split_images(images(), "hold_out", 0.25, CLASSES, 0):
        splits[one.item.patient].add(one.split)
    assert set.union(*splits.values()) == {"train", "test"}
    assert all(len(found) == 1 for found in splits.values())


def test_official_keeps_the_validation_images_of_the_dataset():
    found = split_images(images(), "official", 0.25, CLASSES, 0)
    assert sum(one.split == "val" for one in found) == 12
