"""Curves, areas and ROAD, by hand on networks of one pixel, and as the package has them."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.road import ROADCombined
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
from torch import Tensor, nn

from xray.saliency.faithfulness import (
    Network,
    area,
    blur,
    curve,
    faded,
    order_of,
    relevance_of,
    road,
)


class OnePixel(nn.Module):
    """The probability of class 1 is 0.1 + half the first pixel."""

    def forward(self, images: Tensor) -> Tensor:
        share = 0.1 + images[:, 0, 0, 0] / 2
        return torch.stack([1 - share, share], dim=1).log()


IMAGE = torch.tensor([[[[0.8, 0.4], [0.4, 0.4]]]])
FIRST = np.array([[[0, 1], [2, 3]]])
LAST = np.array([[[3, 1], [2, 0]]])
ONE = np.array([1])


def test_the_curve_falls_when_the_pixel_goes():
    black = torch.zeros_like(IMAGE)
    curves = curve(OnePixel(), IMAGE, black, FIRST, ONE, steps=4)
    np.testing.assert_allclose(curves, [[0.5, 0.1, 0.1, 0.1, 0.1]], rtol=1e-6)
    # Trapezia: 0.3 + 3 x 0.1, each a quarter wide.
    np.testing.assert_allclose(area(curves), [0.15], rtol=1e-6)
    late = curve(OnePixel(), IMAGE, black, LAST, ONE, steps=4)
    np.testing.assert_allclose(area(late), [0.45], rtol=1e-6)


def test_the_curve_rises_when_the_pixel_comes():
    black = torch.zeros_like(IMAGE)
    curves = curve(OnePixel(), black, IMAGE, FIRST, ONE, steps=2)
    np.testing.assert_allclose(curves, [[0.1, 0.5, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(area(curves), [0.4], rtol=1e-6)
    # Of the other class the probability falls.
    other = curve(OnePixel(), black, IMAGE, FIRST, np.array([0]), steps=2)
    np.testing.assert_allclose(other, [[0.9, 0.5, 0.5]], rtol=1e-6)


def test_images_of_a_batch_are_on_their_own():
    images = torch.cat([IMAGE, IMAGE / 2])
    both = np.concatenate([FIRST, LAST])
    curves = curve(OnePixel(), images, faded(images), both, np.array([1, 1]), steps=4)
    # Mean greys 0.5 and 0.25.
    expected = [[0.5, 0.35, 0.35, 0.35, 0.35], [0.3, 0.3, 0.3, 0.3, 0.225]]
    np.testing.assert_allclose(curves, expected, rtol=1e-6)


def test_the_most_relevant_is_first_and_chance_decides_between_equals():
    heat = np.array([[0.0, 3.0], [2.0, 2.0]])
    seen = set()
    for seed in range(20):
        order = order_of(heat, np.random.default_rng(seed))
        assert (order[0, 1], order[0, 0]) == (0, 3)
        seen.add(tuple(order[1].tolist()))
    assert seen == {(1, 2), (2, 1)}


def test_relevances_differ_from_one_another():
    order = order_of(np.zeros((224, 224)), np.random.default_rng(0))
    relevance = relevance_of(order[None])
    assert relevance.dtype == np.float32
    assert len(np.unique(relevance)) == len(np.unique(1 - relevance)) == 224 * 224
    assert relevance.reshape(-1)[order.argmin()] == relevance.max() < 1


def spot(order: np.ndarray) -> float:
    """ROAD of a bright first pixel on grey, 2 of 16 pixels removed."""
    image = torch.full((1, 1, 4, 4), 0.4)
    image[..., 0, 0] = 0.8
    torch.manual_seed(0)
    return float(road(OnePixel(), image, order[None], ONE, percentiles=[90])[0])


def test_road_is_half_of_what_the_relevant_cost_more():
    # Gone first, the pixel becomes grey: the probability falls from 0.5 to 0.3, but for the noise.
    order = np.arange(16).reshape(4, 4)
    assert spot(order) == pytest.approx(0.1, abs=0.02)
    # Gone last, the reverse.
    assert spot(15 - order) == pytest.approx(-0.1, abs=0.02)
    # In the middle it stays.
    assert spot(np.roll(order, 8).reshape(4, 4)) == pytest.approx(0, abs=1e-6)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_road_is_that_of_the_package():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    images = torch.rand(3, 1, 8, 8)
    rng = np.random.default_rng(0)
    orders = np.stack([order_of(rng.random((8, 8)), rng) for _ in range(3)])
    targets = np.array([0, 2, 1])
    percentiles = [30, 60, 90]
    with torch.no_grad():
        torch.manual_seed(1)
        found = road(network, images, orders, targets, percentiles)
        torch.manual_seed(1)
        wanted = [ClassifierOutputSoftmaxTarget(int(k)) for k in targets]
        package = ROADCombined(percentiles)
        expected = package(images, relevance_of(orders), wanted, network)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found).max() > 1e-3


def test_a_blur_hides_what_is_small_and_keeps_the_mean():
    image = torch.zeros(1, 1, 50, 50)
    image[..., 23:27, 23:27] = 1
    blurred = blur(image)
    assert blurred.shape == image.shape
    assert blurred.max() < 0.15
    assert blurred.sum() == pytest.approx(16, rel=0.01)


def test_the_network_gives_its_body_bytes():
    seen = []

    class Body(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return images.float()

    network = Network(Body(), nn.Flatten())
    logits = network(torch.tensor([[[[-0.2, 0.5], [1.0, 1.3]]]]))
    assert seen[0].dtype == torch.uint8
    assert logits.tolist() == [[0, 128, 255, 255]]
