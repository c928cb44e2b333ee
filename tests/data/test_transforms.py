import albumentations as A
import numpy as np
import pytest
import torch

from xray.data.transforms import SeededTransform, shared_beginning
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


RESIZE, ROTATE = A.Resize(32, 32), A.Rotate(limit=20, p=1.0)


@pytest.mark.parametrize(
    ("train", "evaluate", "count"),
    [
        ([RESIZE, ROTATE], [A.Resize(32, 32)], 1),
        ([RESIZE, ROTATE], [RESIZE, ROTATE], 1),
        ([RESIZE], [A.Resize(32, 32, interpolation=3)], 0),
        # What comes out is not yet what the network is given.
        ([A.Resize(64, 64), ROTATE, RESIZE], [A.Resize(64, 64), RESIZE], 0),
        ([A.Resize(64, 64), RESIZE, ROTATE], [A.Resize(64, 64), RESIZE], 2),
        ([RESIZE, A.Resize(64, 64)], [RESIZE, A.Resize(64, 64)], 1),
        ([A.LongestMaxSize(32)] * 2, [A.LongestMaxSize(32)] * 2, 0),
        ([A.LongestMaxSize(32), A.PadIfNeeded(32, 32)],) * 2 + (2,),
        ([A.LongestMaxSize([32, 16]), A.PadIfNeeded(32, 32)],) * 2 + (0,),
        ([A.LongestMaxSize(32), A.PadIfNeeded(32, 32, position="random")],) * 2 + (0,),
        ([A.Resize(32, 32, p=0.5)],) * 2 + (0,),
        ([], [], 0),
    ],
)
def test_a_beginning_is_shared_draws_nothing_and_ends_at_the_size(train, evaluate, count):
    lists = (SeededTransform(steps, 32, 0) for steps in (train, evaluate))
    assert shared_beginning(*lists) == count


def test_what_comes_after_a_beginning_draws_as_it_does_behind_it(transforms):
    whole = SeededTransform(transforms["train"], 32, seed=3)
    begun = whole.before(1)(IMAGE)[0].numpy()
    for epoch, index in ((0, 0), (1, 7), (2, 5)):
        assert torch.equal(whole.after(1)(begun, epoch, index), whole(IMAGE, epoch, index))
    assert torch.equal(whole.after(3)(begun), whole.before(1)(IMAGE))
