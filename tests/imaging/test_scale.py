import numpy as np
import pytest

from xray.imaging.scale import Span, find_span, to_8_bits


def ramp(low: int, high: int, count: int = 9999) -> np.ndarray:
    return np.rint(np.linspace(low, high, count)).astype(np.uint16)


def span(values) -> Span:
    distinct, counts = np.unique(values, return_counts=True)
    return find_span(distinct.astype(float), counts)


def test_without_outliers_the_range_is_that_of_all_pixels():
    assert span(ramp(100, 900)) == Span(100, 900)
    # 0.05 % of 10,000 pixels are 5, so that 6 bright pixels are no outliers.
    assert span(np.append(ramp(100, 900), [60000] * 6)) == Span(100, 60000)


def test_an_outlier_that_hardly_changes_the_range_is_kept():
    assert span(np.append(ramp(100, 900), 1500)) == Span(100, 1500)


@pytest.mark.parametrize("count", [1, 5])
def test_bright_outliers_are_clipped(count):
    found = span(np.append(ramp(100, 900), [60000] * count))
    assert (found.low, found.high) == (100, 900)
    assert found.note.startswith(f"{count} outlier pixel")
    assert found.note.endswith("clipped to the range 100 to 900.")


def test_dark_outliers_are_clipped_and_the_other_side_is_kept():
    found = span(np.append(ramp(30000, 31000), [0, 0]))
    assert (found.low, found.high) == (30000, 31000)
    assert found.note.startswith("2 outlier pixels were clipped")


def test_an_image_of_few_bright_pixels_on_one_value_is_kept():
    values = np.append(np.full(9999, 7), 60000)
    assert span(values) == Span(7, 60000)


def test_16_bits_to_8():
    values = ramp(100, 900, 10000).reshape(100, 100)
    pixels, note = to_8_bits(values)
    assert note == ""
    np.testing.assert_array_equal(
        pixels, np.rint((values - 100) * np.float32(255 / 800)).astype(np.uint8)
    )
    values[50, 50] = 65535
    clipped, note = to_8_bits(values)
    assert "1 outlier pixel" in note
    assert clipped[50, 50] == 255
    values[50, 50] = 900
    np.testing.assert_array_equal(clipped, to_8_bits(values)[0])
