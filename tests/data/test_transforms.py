import json
from pathlib import Path

import albumentations as A
import numpy as np
import pytest
import torch

from xray.data.transforms import (
    SeededTransform,
    light_transforms,
    load_transforms,
    serialize_transforms,
    shared_beginning,
)
from xray.errors import ConfigError

IMAGE = np.random.default_rng(0).integers(0, 255, (50, 60), dtype=np.uint8)


def test_a_draw_depends_only_on_seed_epoch_and_index(transforms):
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


def test_a_result_of_another_size_is_an_error():
    with pytest.raises(ConfigError, match=r"\(50, 60\).*\(32, 32\).*Resize"):
        SeededTransform([A.HorizontalFlip()], 32, 0)(IMAGE)


def test_the_description_depends_on_the_settings(transforms):
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
        # The shared step does not end at the size of the network.
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
def test_the_shared_beginning_is_fixed_and_ends_at_the_size(train, evaluate, count):
    lists = (SeededTransform(steps, 32, 0) for steps in (train, evaluate))
    assert shared_beginning(*lists) == count


def test_the_steps_after_a_beginning_draw_as_in_the_whole_sequence(transforms):
    whole = SeededTransform(transforms["train"], 32, seed=3)
    begun = whole.before(1)(IMAGE)[0].numpy()
    for epoch, index in ((0, 0), (1, 7), (2, 5)):
        assert torch.equal(whole.after(1)(begun, epoch, index), whole(IMAGE, epoch, index))
    assert torch.equal(whole.after(3)(begun), whole.before(1)(IMAGE))


def test_the_default_transforms_are_those_of_the_command_line():
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    conf = str(Path(__file__).parents[2] / "conf")
    with initialize_config_dir(conf, version_base="1.3"):
        cfg = compose("train", ["data.size=64"])
    for key, steps in light_transforms(64).items():
        configured = instantiate(cfg.transform[key], _convert_="all")
        described = [SeededTransform(made, 64, 0).describe() for made in (configured, steps)]
        assert described[0] == described[1]


STEPS = [
    A.Resize(32, 32, interpolation=3),
    A.OneOf([A.Rotate(limit=20), A.GaussNoise(std_range=(0.01, 0.04))], p=1.0),
    A.CoarseDropout(num_holes_range=(1, 4), hole_height_range=(0.05, 0.15), p=1.0),
]


def test_serialized_transforms_are_plain_and_restore_the_same_images(tmp_path):
    transform = SeededTransform(STEPS, 32, seed=3)
    saved = serialize_transforms(transform)
    assert saved["size"] == 32
    assert json.loads(json.dumps(saved)) == saved
    torch.save(saved, tmp_path / "saved.pt")
    restored = load_transforms(torch.load(tmp_path / "saved.pt", weights_only=True), seed=3)
    assert restored.describe() == transform.describe()
    for epoch, index in ((0, 0), (2, 5)):
        assert torch.equal(restored(IMAGE, epoch, index), transform(IMAGE, epoch, index))


class Inverted(A.InvertImg):
    """A transform that is not part of albumentations."""


@pytest.mark.parametrize(
    "steps",
    [[Inverted(p=1.0)], [A.OneOf([Inverted(p=1.0)], p=1.0)], [A.Lambda(image=np.flip, name="x")]],
)
def test_only_transforms_of_albumentations_are_serialized(steps):
    with pytest.raises(ConfigError, match=r"transform\.eval"):
        serialize_transforms(SeededTransform(steps, 32, 0))


@pytest.mark.parametrize(
    "step",
    [
        {"__class_fullname__": "os.system", "command": "true"},
        {"__class_fullname__": "Compose.__init__"},
        {"__class_fullname__": "Lambda", "__name__": "x"},
        {"__class_fullname__": "cv2"},
        {"__class_fullname__": "OneOf", "p": 1.0, "transforms": [{"__class_fullname__": "os"}]},
        {"__class_fullname__": "Resize", "height": "wide", "width": 32},
        {"height": 32},
        None,
    ],
)
def test_malformed_or_foreign_transforms_are_not_loaded(step):
    with pytest.raises(ConfigError):
        load_transforms({"size": 32, "steps": [step]})
    with pytest.raises(ConfigError):
        load_transforms({"steps": []})
