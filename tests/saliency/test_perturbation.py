"""Perturbed images on small examples, and ROAD's imputation compared with the grad-cam package."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.road import (
    NoisyLinearImputer,
    ROADLeastRelevantFirst,
    ROADMostRelevantFirst,
)

from xray.saliency.perturbation import (
    blur,
    impute,
    mean_gray,
    pixel_order,
    replace_pixels,
    road_images,
)

IMAGE = np.array([[0.8, 0.4], [0.4, 0.4]], np.float32)


def test_pixel_order_ranks_ties_at_random():
    heat = np.array([[0.0, 3.0], [2.0, 2.0]])
    seen = set()
    for seed in range(20):
        order = pixel_order(heat, np.random.default_rng(seed))
        assert (order[0, 1], order[0, 0]) == (0, 3)
        seen.add(tuple(order[1].tolist()))
    assert seen == {(1, 2), (2, 1)}


def test_replace_pixels_starts_with_the_most_relevant():
    order = np.array([[0, 1], [2, 3]])
    first, second, third = replace_pixels(IMAGE, np.zeros_like(IMAGE), order, steps=4)
    np.testing.assert_array_equal(first, np.float32([[0, 0.4], [0.4, 0.4]]))
    np.testing.assert_array_equal(second, np.float32([[0, 0], [0.4, 0.4]]))
    np.testing.assert_array_equal(third, np.float32([[0, 0], [0, 0.4]]))


def test_impute_single_pixel_is_weighted_mean_of_its_neighbors():
    image = np.arange(9, dtype=np.float32).reshape(3, 3) / 8
    removed = np.zeros((3, 3), bool)
    removed[0, 0] = True
    filled = impute(image, removed)
    # Right and lower neighbor have weight 1/6, the diagonal one 1/12.
    expected = (image[0, 1] / 6 + image[1, 0] / 6 + image[1, 1] / 12) / (5 / 12)
    assert filled[0, 0] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_array_equal(filled[~removed], image[~removed])
    assert image[0, 0] == 0


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
@pytest.mark.parametrize("shape", ["scattered", "center", "surround"])
def test_impute_equals_the_package(shape):
    rng = np.random.default_rng(0)
    image = rng.random((40, 56)).astype(np.float32)
    y, x = np.mgrid[:40, :56]
    center = (y - 20) ** 2 + (x - 28) ** 2 < 300
    removed = {"scattered": rng.random(image.shape) < 0.5, "center": center, "surround": ~center}
    mask = torch.from_numpy((~removed[shape]).astype(np.float32))
    expected = NoisyLinearImputer(noise=0)(torch.from_numpy(image)[None], mask)[0].numpy()
    np.testing.assert_allclose(impute(image, removed[shape]), expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_road_removes_the_pixels_that_the_package_removes():
    rng = np.random.default_rng(0)
    image = rng.random((11, 9)).astype(np.float32)
    order = pixel_order(rng.random(image.shape), rng)
    relevance = torch.from_numpy(((98 - order) / 99).astype(np.float32))
    percentiles = (30, 50, 60, 90)
    found = list(road_images(image, order, rng, percentiles, noise=0))
    expected = []
    for metric in (ROADMostRelevantFirst, ROADLeastRelevantFirst):
        for percentile in percentiles:
            perturbation = metric(percentile).perturbation
            perturbation.imputer.noise = 0
            expected.append(perturbation(torch.from_numpy(image)[None], relevance)[0].numpy())
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_road_adds_noise_to_imputed_pixels_only():
    image = np.full((32, 32), 0.5, np.float32)
    order = np.arange(1024).reshape(32, 32)
    (first, last) = road_images(image, order, np.random.default_rng(0), percentiles=[50])
    assert (first[16:] == 0.5).all()
    assert (last[:16] == 0.5).all()
    assert first[:16].std() == pytest.approx(0.01, rel=0.1)
    assert last[16:].std() == pytest.approx(0.01, rel=0.1)


def test_mean_gray_and_blur_keep_the_mean():
    image = np.zeros((50, 50), np.float32)
    image[23:27, 23:27] = 1
    assert mean_gray(image) == pytest.approx(16 / 2500)
    blurred = blur(image)
    assert blurred.shape == image.shape
    assert blurred.max() < 0.15
    assert blurred.sum() == pytest.approx(16, rel=0.01)
