"""ROAD, deletion and insertion on networks whose probabilities are known."""

import numpy as np
import pytest
import torch
from spots import Brightness, Looker, spots
from torch import Tensor, nn

from xray.saliency import faithfulness
from xray.saliency.baselines import MAP, MapOptions, compute_maps
from xray.saliency.faithfulness import (
    DELETION,
    INSERTION,
    MEASURES,
    ROAD,
    FloatInput,
    area,
    measure_faithfulness,
)

OPTIONS = MapOptions("gradcam", bar=False)


class Counted(nn.Module):
    """Class 1 has the probability 0.1 + half the mean brightness; images are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.images = 0
        self.batches: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.images += len(images)
        self.batches.append(len(images))
        share = 0.1 + images.float().mean(dim=(1, 2, 3)) / 510
        return torch.stack([1 - share, share], dim=1).log()


@pytest.fixture
def measure(tmp_path):
    """Measure faithfulness on four images of bright squares."""
    dataset = spots(tmp_path, masks=False)

    def run(positions=range(4), classify=None, indices=range(4), **options):
        body = Brightness()
        with compute_maps(Looker(body), Looker(body, channel=1), dataset, indices, OPTIONS) as maps:
            return measure_faithfulness(
                classify or Counted(),
                dataset,
                indices,
                maps,
                list(positions),
                device="cpu",
                seed=0,
                bar=False,
                **options,
            )

    return run


def test_area_is_the_trapezoidal_rule():
    # Trapezoids: 0.3 + 3 x 0.1, each a quarter wide.
    assert area(np.array([0.5, 0.1, 0.1, 0.1, 0.1])) == pytest.approx(0.15)
    assert area(np.array([0.2, 0.6])) == pytest.approx(0.4)


def test_deletion_and_insertion_on_a_network_of_the_mean_brightness(measure):
    values = measure()
    # 64 of 1024 pixels have the gray value 230, the others 25: the mean is 37.8.
    mean = (64 * 230 + 960 * 25) / 1024
    step = round(1024 / 10)
    # Step k replaces 64 bright and `done - 64` dark pixels by the mean gray.
    done = [0, *(round(1024 * k / 10) for k in range(1, 10)), 1024]
    gray = round(mean / 255 * 255)
    bright = [37.8125, *((n * gray + (1024 - n) * 25) / 1024 for n in done[1:-1]), gray]
    curve = 0.1 + np.array(bright) / 510
    assert step > 64
    assert values[DELETION, MAP] == pytest.approx([area(curve)] * 4, abs=1e-5)
    # The blurred image has the same mean; the bright pixels come back first.
    assert (values[INSERTION, MAP] > values[INSERTION, "randomized weights"]).all()
    assert (values[ROAD, MAP] > 0).all()


def test_values_do_not_depend_on_the_batch_size(measure):
    torch.manual_seed(0)
    network = nn.Sequential(
        Brightness(), nn.Conv2d(2, 8, 5, stride=2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)
    )
    network(torch.zeros(1, 1, 32, 32, dtype=torch.uint8))
    together = measure(classify=network, batch=64)
    single = measure(classify=network, batch=1)
    assert together.keys() == single.keys()
    for key, values in together.items():
        np.testing.assert_allclose(values, single[key], atol=1e-6, err_msg=str(key))
    assert np.ptp(together[DELETION, MAP]) > 1e-4


def test_values_of_an_image_do_not_depend_on_other_measured_images(measure):
    everything, third = measure(), measure(positions=[2])
    for key, values in third.items():
        assert np.isnan(values[[0, 1, 3]]).all()
        assert values[2] == pytest.approx(everything[key][2], abs=1e-7)


def test_images_that_all_maps_share_are_predicted_once(measure):
    network = Counted()
    measure(positions=[0, 1], classify=network)
    # For each image: 4 maps with 10 ROAD images and twice 9 steps; original, gray and blurred.
    assert network.images == 2 * (4 * (10 + 9 + 9) + 3)
    assert network.batches[:-1] == [16] * (len(network.batches) - 1)


def test_after_the_deadline_only_road_of_one_image_is_measured(measure, monkeypatch):
    values = measure(deadline=0.0)
    assert {name for name, _ in values} == {ROAD}
    assert np.isfinite(values[ROAD, MAP]).tolist() == [True, False, False, False]
    # A deadline that passes during the second image.
    clock = iter([0, 0, 0, 0, 9, 9])
    monkeypatch.setattr(faithfulness.time, "monotonic", lambda: next(clock))
    values = measure(deadline=1.0)
    counts = [int(np.isfinite(values[measure, MAP]).sum()) for measure in MEASURES]
    assert counts == [2, 1, 1]


def test_float_input_is_clipped_and_rounded_to_bytes():
    seen = []

    class Body(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return images.float().flatten(1)

    logits = FloatInput(Body())(torch.tensor([[[[-0.2, 0.5], [1.0, 1.3]]]]))
    assert seen[0].dtype == torch.uint8
    assert logits.tolist() == [[0, 128, 255, 255]]
