import albumentations as A
import numpy as np
import pytest
import torch

from xray.data.transforms import SeededTransform
from xray.errors import ConfigError

IMAGE = np.random.default_rng(0).integers(0, 255, (50, 60), dtype=np.uint8)


def test_a_draw_is_a_property_of_seed_epoch_and_index(transforms):
    draw = SeededTransform(transforms["train"], 32, seed=3)
    first = draw(IMAGE, 1, 7)
    assert first.shape == (1, 32, 32)
    assert first.dtype == torch.uint8
    draw(IMAGE, 0, 0)
    assert torch.equal(draw(IMAGE, 1, 7), first)
    assert torch.equal(SeededTransform(transforms["train"], 32, seed=3)(IMAGE, 1, 7), first)
    others = [
        draw(IMAGE, 2, 7),
        draw(IMAGE, 1, 8),
        SeededTransform(transforms["train"], 32, 4)(IMAGE, 1, 7),
    ]
    assert not any(torch.equal(other, first) for other in others)


def test_output_of_another_size_is_refused():
    with pytest.raises(ConfigError, match=r"\(50, 60\).*\(32, 32\).*Resize"):
        SeededTransform([A.HorizontalFlip()], 32, 0)(IMAGE)


def test_description_tells_settings_apart(transforms):
    one, same, other = (
        SeededTransform([A.Resize(32, 32), A.Rotate(limit=limit)], 32, 0).describe()
        for limit in (5, 5, 6)
    )
    assert one == same != other
