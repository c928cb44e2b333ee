"""Localization measures and image-independent baselines, computed by hand."""

import math

import numpy as np
import pytest

from xray.saliency.localization import (
    best_iou,
    center_prior,
    energy,
    iou,
    mean_of_others,
    pointing,
)

HEAT = np.array([[0.0, 0.2], [0.6, 1.0]])
MASK = np.array([[False, False], [True, True]])
NOTHING = np.zeros((2, 2))


def test_pointing_game_locates_the_maximum():
    assert pointing(HEAT, MASK) == 1
    assert pointing(HEAT, ~MASK) == 0
    # Of two maxima one is inside.
    assert pointing(np.array([[1.0, 0], [1, 0]]), MASK) == 0.5
    assert pointing(NOTHING, MASK) == 0


def test_energy_is_the_share_inside_the_mask():
    assert energy(HEAT, MASK) == pytest.approx(1.6 / 1.8)
    assert energy(np.array([[-5.0, 1], [3, 0]]), MASK) == 0.75
    assert math.isnan(energy(NOTHING, MASK))


def test_iou_at_a_level_and_at_the_best_level():
    assert iou(HEAT, MASK) == 1
    # The last pixel alone, of two.
    assert iou(HEAT, MASK, 0.8) == 0.5
    assert iou(HEAT, MASK, 0.1) == pytest.approx(2 / 3)
    assert iou(HEAT, ~MASK, 0.1) == 0.25
    assert best_iou(HEAT, np.array([[False, True], [True, True]])) == 1
    assert iou(NOTHING, MASK) == 0
    assert math.isnan(iou(NOTHING, np.zeros((2, 2), bool)))


def test_center_prior_is_a_gaussian():
    drawn = center_prior(5, 9, 0.5)
    assert drawn.shape == (5, 9)
    assert drawn[2, 4] == drawn.max() == 1
    assert drawn[0, 4] == pytest.approx(np.exp(-((2 / 2.5) ** 2) / 2))
    assert drawn[2, 0] == pytest.approx(np.exp(-((4 / 4.5) ** 2) / 2))
    assert (drawn == drawn[::-1, ::-1]).all()


def test_mean_leaves_one_map_out():
    maps = np.array([[[3.0]], [[1.0]], [[2.0]]])
    assert mean_of_others(maps.sum(axis=0), maps[0], 3) == 1.5
    assert mean_of_others(maps[0], maps[0], 1) is None
