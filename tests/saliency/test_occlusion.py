"""Occlusions computed by hand."""

import numpy as np

from xray.saliency.occlusion import (
    INSIDE,
    OCCLUSIONS,
    OUTSIDE,
    border,
    box,
    corners,
    hide,
    silhouette,
)


def test_hidden_part_has_the_mean_of_the_rest():
    image = np.array([[10, 20], [30, 255]], np.uint8)
    hidden = np.array([[False, False], [False, True]])
    assert hide(image, hidden).tolist() == [[10, 20], [30, 20]]
    assert image[1, 1] == 255
    # The hidden pixels have no influence.
    other = np.array([[10, 20], [30, 0]], np.uint8)
    assert (hide(other, hidden) == hide(image, hidden)).all()
    assert not hide(image, np.ones((2, 2), bool)).any()


def test_border_corners_and_box():
    assert border(4, 4, 0.25).sum() == 12
    assert not border(4, 4, 0.25)[1:3, 1:3].any()
    assert corners(4, 8, 0.25).sum() == 4 * 1 * 2
    assert corners(4, 8, 0.25)[0, [0, 1, 6, 7]].all()
    assert not corners(4, 8, 0.25)[1:3].any()
    assert not corners(4, 4, 0.0).any()
    marked = box(10, 10, (0.2, 0.5, 0.1, 0.9))
    assert marked.sum() == 3 * 8
    assert marked[2:5, 1:9].all()


def test_silhouette_is_independent_of_the_image():
    lungs = np.array([[True, False]])
    assert silhouette(lungs).tolist() == [[INSIDE, OUTSIDE]]


def test_lungs_only_and_lungs_hidden_are_complements():
    image = np.arange(100, dtype=np.uint8).reshape(10, 10)
    lungs = box(10, 10)
    only, without = (OCCLUSIONS[name](image, lungs) for name in ("lungs only", "lungs hidden"))
    assert (only[lungs] == image[lungs]).all()
    assert (without[~lungs] == image[~lungs]).all()
    assert len(np.unique(only[~lungs])) == len(np.unique(without[lungs])) == 1
    center = OCCLUSIONS["center only"](image, lungs)
    kept = np.zeros((10, 10), bool)
    kept[2:8, 2:8] = True
    assert (center[kept] == image[kept]).all()
    assert len(np.unique(center[~kept])) == 1
