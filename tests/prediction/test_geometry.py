"""Heatmaps are mapped back to the pixels of the image."""

import albumentations as A
import numpy as np
import pytest

from xray.data.transforms import SeededTransform
from xray.errors import ConfigError
from xray.prediction.geometry import to_image

SIZE = 64


@pytest.mark.parametrize(
    "steps",
    [
        [A.Resize(SIZE, SIZE)],
        [
            A.LongestMaxSize(SIZE),
            A.PadIfNeeded(SIZE, SIZE, border_mode=0, fill=0),
        ],
        [A.SmallestMaxSize(SIZE), A.CenterCrop(SIZE, SIZE)],
    ],
    ids=["resize", "pad", "crop"],
)
@pytest.mark.parametrize("shape", [(64, 64), (200, 120), (50, 90)])
def test_a_bright_square_returns_to_its_place(steps, shape):
    height, width = shape
    image = np.zeros(shape, np.uint8)
    rows, columns = slice(height // 2 - 6, height // 2 + 8), slice(width // 2 - 9, width // 2 + 5)
    image[rows, columns] = 255
    transform = SeededTransform(steps, SIZE, 0)
    heat = transform(image)[0].numpy().astype(np.float32) / 255
    found = to_image(heat, transform, shape)
    assert found.shape == shape
    assert found.dtype == np.float32
    truth = image > 0
    overlap = ((found > 0.5) & truth).sum() / ((found > 0.5) | truth).sum()
    assert overlap > 0.75
    center = np.argwhere(found > 0.5).mean(axis=0)
    np.testing.assert_allclose(center, np.argwhere(truth).mean(axis=0), atol=0.75)


def test_a_constant_map_covers_the_whole_image_but_not_what_a_crop_removes():
    ones = np.ones((SIZE, SIZE), np.float32)
    whole = to_image(ones, SeededTransform([A.Resize(SIZE, SIZE)], SIZE, 0), (333, 77))
    assert (whole == 1).all()
    crop = SeededTransform([A.SmallestMaxSize(SIZE), A.CenterCrop(SIZE, SIZE)], SIZE, 0)
    part = to_image(ones, crop, (128, 64))
    assert part[64, 32] == 1
    assert part[:20].max() == part[-20:].max() == 0


def test_a_step_without_coordinates_is_named():
    class Odd(A.Resize):
        def apply_to_keypoints(self, *args, **kwargs):
            raise NotImplementedError("Odd has no keypoints")

    with pytest.raises(ConfigError, match="Odd has no keypoints"):
        to_image(np.ones((8, 8), np.float32), SeededTransform([Odd(8, 8)], 8, 0), (9, 9))
