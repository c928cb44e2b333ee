"""Blended values computed by hand, and the content of a panel."""

import dataclasses
import warnings

import numpy as np
import pytest

from xray.saliency.overlay import GAP, PAPER, SCALE, SIDE, Caption, colorize, overlay, panel

CAPTION = Caption(
    title="person1_virus_6.jpeg",
    truth="pneumonia",
    label="COVID-19",
    predicted="pneumonia",
    probability=0.97,
    explained="pneumonia",
    method="gradcam",
)


def outlined(picture: np.ndarray) -> np.ndarray:
    """Return (H, W) bool, True on the magenta outline, whose edges are blended."""
    red, green, blue = np.moveaxis(picture.astype(int), 2, 0)
    return (red > 200) & (blue > 200) & (green < 50)


def test_colors_run_from_dark_blue_through_green_to_dark_red() -> None:
    cold, mild, hot = colorize(np.array([[0.0, 0.5, 1.0]]))[0].astype(int)
    assert cold[2] == max(cold)
    assert mild[1] == max(mild)
    assert hot[0] == max(hot)
    assert hot[0] > 3 * hot[2]


def test_values_out_of_range_are_clipped_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        odd = colorize(np.array([[-3.0, np.nan, 9.0]]))
    np.testing.assert_array_equal(odd, colorize(np.array([[0.0, 0.0, 1.0]])))


def test_overlay_is_transparent_where_the_map_is_zero() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    plain = overlay(image, np.zeros((16, 16), np.float32))
    np.testing.assert_array_equal(plain, np.repeat(image[..., None], 3, axis=2))


def test_opacity_at_the_maximum() -> None:
    image, heat = np.full((1, 1), 200, np.uint8), np.ones((1, 1))
    np.testing.assert_array_equal(overlay(image, heat, alpha=1), colorize(heat))
    half = (200 + colorize(heat)[0, 0].astype(float)) / 2
    np.testing.assert_allclose(overlay(image, heat, alpha=0.5)[0, 0], half, atol=0.51)


def test_opacity_at_half_the_maximum() -> None:
    image, heat = np.zeros((1, 1), np.uint8), np.full((1, 1), 0.5)
    np.testing.assert_allclose(
        overlay(image, heat, alpha=1)[0, 0], 0.797 * colorize(heat)[0, 0], atol=0.7
    )


def columns(picture: np.ndarray, position: int) -> np.ndarray:
    """Return one of the three pictures of a panel of square images of side `SIDE`."""
    left = (GAP, 2 * GAP + SIDE, 3 * GAP + 2 * SIDE + SCALE)[position]
    top = np.flatnonzero((picture[:, GAP] != PAPER).any(axis=1) & (np.arange(len(picture)) > 60))[0]
    return picture[top : top + SIDE, left : left + SIDE]


def test_panel_shows_original_heatmap_and_overlay_enlarged() -> None:
    image = np.full((40, 40), 90, np.uint8)
    heat = np.zeros((40, 40), np.float32)
    heat[:, 20:] = 1
    picture = panel(image, heat, CAPTION)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 3 * SIDE + SCALE + 4 * GAP
    original, hot, mixed = (columns(picture, i) for i in range(3))
    assert (original == 90).all()
    np.testing.assert_array_equal(hot[:, 0], colorize(np.zeros((SIDE, 1)))[:, 0])
    np.testing.assert_array_equal(hot[:, -1], colorize(np.ones((SIDE, 1)))[:, 0])
    assert (mixed[:, 0] == 90).all()
    assert (mixed[:, -1] != 90).any()


def test_large_image_keeps_its_size() -> None:
    picture = panel(np.zeros((400, 500), np.uint8), np.zeros((400, 500)), CAPTION)
    assert picture.shape[1] == 3 * 500 + SCALE + 4 * GAP


def test_lesion_is_outlined_on_original_and_overlay() -> None:
    image, heat = np.full((SIDE, SIDE), 90, np.uint8), np.zeros((SIDE, SIDE))
    mask = np.zeros((SIDE, SIDE), bool)
    mask[100:200, 100:200] = True
    picture = panel(image, heat, CAPTION, mask)
    original, hot, mixed = (columns(picture, i) for i in range(3))
    for shown in (original, mixed):
        border = outlined(shown)
        assert border[100, 150]
        assert border[150, 100]
        assert 300 < border.sum() < 500
        assert (shown[110:190, 110:190] == 90).all()
    assert not outlined(hot).any()
    # The text below the pictures differs, too.
    plain = panel(image, heat, CAPTION, np.zeros_like(mask))
    np.testing.assert_array_equal(columns(plain, 0), np.full((SIDE, SIDE, 3), 90))
    assert (picture[-GAP - 20 :, : SIDE + GAP] != plain[-GAP - 20 :, : SIDE + GAP]).any()


def verdict(picture: np.ndarray) -> np.ndarray:
    """Return the upper right corner of a panel."""
    return picture[: GAP + 24, -105:]


def test_correct_and_wrong_differ_in_more_than_color() -> None:
    image, heat = np.zeros((32, 32), np.uint8), np.zeros((32, 32))
    right = verdict(panel(image, heat, CAPTION))
    wrong = verdict(panel(image, heat, dataclasses.replace(CAPTION, predicted="normal")))
    assert not dataclasses.replace(CAPTION, predicted="normal").correct
    darkest_right = right.reshape(-1, 3)[right.sum(axis=2).argmin()].astype(int)
    darkest_wrong = wrong.reshape(-1, 3)[wrong.sum(axis=2).argmin()].astype(int)
    assert darkest_right[1] == max(darkest_right)
    assert darkest_wrong[0] == max(darkest_wrong)
    assert ((right.min(axis=2) < 200) != (wrong.min(axis=2) < 200)).sum() > 50


@pytest.mark.parametrize(
    "changes",
    [
        {"label": ""},
        {"truth": "normal", "probability": 0.5},
        {"explained": ""},
        {"method": "layercam"},
        {"title": "IM-0001.jpeg"},
    ],
)
def test_every_field_of_the_caption_is_drawn(changes: dict[str, str]) -> None:
    image, heat = np.zeros((32, 32), np.uint8), np.zeros((32, 32))
    other = panel(image, heat, dataclasses.replace(CAPTION, **changes))
    assert (panel(image, heat, CAPTION) != other).any()


@pytest.mark.parametrize("title", ["x" * 500 + ".png", "two\nlines.png", "ελληνικά.png", ""])
def test_unusual_file_names_fit(title: str) -> None:
    image, heat = np.zeros((32, 32), np.uint8), np.zeros((32, 32))
    picture = panel(image, heat, dataclasses.replace(CAPTION, title=title))
    clean = panel(image, heat, CAPTION)
    assert picture.shape == clean.shape
    # The name does not overlap the upper right corner.
    np.testing.assert_array_equal(verdict(picture), verdict(clean))
