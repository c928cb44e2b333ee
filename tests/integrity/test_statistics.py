import json

import numpy as np
import pytest
from made_images import write_image

from xray.integrity.index import ROW, index_files
from xray.integrity.statistics import Reference, image_statistics, reference

N = 200


def images() -> np.ndarray:
    """(N, 64, 64) uint8: a dark left and a bright right half with noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(-20, 20, (N, 64, 64)) + rng.integers(-10, 10, (N, 1, 1))
    halves = np.where(np.arange(64) < 32, 60, 180)
    return (halves + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def usual():
    rows = np.zeros(N, ROW)
    rows["thumbnail"] = images()
    rows["width"], rows["height"] = 300, np.arange(200, 200 + N)
    return reference(rows)


def changed(change, shape=(250, 300)):
    image = change(images()[0].astype(int)).clip(0, 255).astype(np.uint8)
    y, x = (np.arange(side) * 64 // side for side in shape)
    return image_statistics(image[y][:, x])


def test_statistics_of_two_halves():
    image = np.zeros((100, 200), np.uint8)
    image[:, 100:] = 200
    found = image_statistics(image, color=0.25)
    assert (found.width, found.height, found.aspect) == (200, 100, 2.0)
    assert (found.mean, found.std) == (100.0, 100.0)
    assert (found.p1, found.p5, found.p95, found.p99) == (0.0, 0.0, 200.0, 200.0)
    assert (found.saturated, found.color) == (0.5, 0.25)
    assert found.coarse.tolist() == [[0.0] * 8 + [200.0] * 8] * 16


def test_a_training_image_is_usual(usual):
    assert usual.unusual(changed(lambda image: image)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda image: 255 - image, ["resemble the mean training image"]),
        (lambda image: image // 4, ["mean gray value", "95th percentile", "standard deviation"]),
        (lambda image: image + 70, ["mean gray value", "5th percentile"]),
        (lambda image: (image > 100) * 255, ["share of black or white pixels: 1.00"]),
    ],
)
def test_unusual_gray_values_are_named(usual, change, words):
    found = usual.unusual(changed(change))
    assert all(any(word in sentence for sentence in found) for word in words)
    assert not any("size" in sentence or "aspect" in sentence for sentence in found)


def test_size_and_aspect_ratio(usual):
    (small,) = usual.unusual(changed(lambda image: image, (80, 100)))
    assert "Unusually small" in small
    assert "80 pixels (training images: 200 to 300)" in small
    (large,) = usual.unusual(changed(lambda image: image, (1400, 1500)))
    assert "Unusually large" in large
    (wide,) = usual.unusual(changed(lambda image: image, (250, 1000)))
    assert "aspect ratio (width / height): 4.00" in wide


def test_a_color_image_is_named(usual):
    gray = images()[0].repeat(4, 0).repeat(4, 1)
    assert usual.unusual(image_statistics(gray, color=0.05)) == []
    (sentence,) = usual.unusual(image_statistics(gray, color=0.45))
    assert sentence.startswith("Color image: 45% of the pixels")


def test_a_reference_survives_json(usual):
    assert Reference.from_dict(json.loads(json.dumps(usual.as_dict()))) == usual


def test_one_training_image_gives_wide_ranges(tmp_path):
    path = write_image(tmp_path / "a.png", size=128)
    found = reference(index_files([path]).rows)
    low, high = found.ranges["mean"]
    assert high - low >= 100
    with pytest.raises(ValueError, match="at least one image"):
        reference(np.zeros(0, ROW))


def test_held_out_radiographs_are_usual_and_negatives_are_not(shared):
    from xray.imaging.read import read_image

    folder = shared / "data/kermany"
    found = reference(index_files(sorted((folder / "train").rglob("*.jpeg"))[::20]).rows)
    held_out = [read_image(path) for path in sorted((folder / "test").rglob("*.jpeg"))[::6]]
    assert len(held_out) > 90
    flagged = sum(bool(found.unusual(image_statistics(image))) for image in held_out)
    negatives = sum(bool(found.unusual(image_statistics(255 - image))) for image in held_out)
    assert flagged <= 0.03 * len(held_out)
    assert negatives >= 0.97 * len(held_out)
