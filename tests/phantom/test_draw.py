import numpy as np
import pytest

from xray.phantom.draw import KINDS, draw_phantom

SIZE = 96


def draw(kind, patient=3, view=0, seed=0):
    return draw_phantom(kind, patient=patient, view=view, seed=seed, size=SIZE)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_arguments_return_equal_pixels(kind):
    one, same = draw(kind), draw(kind)
    assert one.image.dtype == np.uint8
    assert one.image.shape == one.lung.shape == one.lesion.shape == (SIZE, SIZE)
    assert np.array_equal(one.image, same.image)
    assert np.array_equal(one.lesion, same.lesion)
    for other in (draw(kind, patient=4), draw(kind, view=1), draw(kind, seed=1)):
        assert not np.array_equal(one.image, other.image)


def test_lungs_are_darker_than_their_surroundings():
    for patient in range(5):
        phantom = draw("normal", patient)
        assert 0.1 < phantom.lung.mean() < 0.5
        assert phantom.image[phantom.lung].mean() < phantom.image.mean()
        assert not phantom.lesion.any()


@pytest.mark.parametrize("kind", ["pneumonia", "covid"])
def test_lesion_is_in_the_lungs_and_brighter_than_normal_lung(kind):
    for patient in range(5):
        sick, healthy = draw(kind, patient), draw("normal", patient)
        assert sick.lesion.any()
        assert not (sick.lesion & ~sick.lung).any()
        assert sick.image[sick.lesion].mean() > healthy.image[sick.lesion].mean() + 5


def test_only_the_lesion_depends_on_the_kind():
    sick, healthy = draw("pneumonia"), draw("normal")
    assert np.array_equal(sick.lung, healthy.lung)
    # The edge enhancement of the detector reaches a few pixels beyond the lesion.
    outside = ~sick.lung
    change = np.abs(sick.image.astype(int) - healthy.image)[outside]
    assert np.median(change) <= 1


def test_covid_affects_both_lungs_and_consolidation_often_one():
    half = SIZE // 2
    sides = {"covid": [], "pneumonia": []}
    for kind, found in sides.items():
        for patient in range(8):
            lesion = draw(kind, patient).lesion
            found.append(bool(lesion[:, :half].any()) + bool(lesion[:, half:].any()))
    assert sum(count == 2 for count in sides["covid"]) >= 7
    assert 1 in sides["pneumonia"]


def test_pixels_are_unchanged():
    # Metrics of older runs depend on the pixels; raise DRAWING_VERSION if they change on purpose.
    # Rounding may differ slightly between processors.
    expected = {
        "normal": (109.792, 60.058, 3112, 0),
        "pneumonia": (114.609, 58.822, 3112, 819),
        "covid": (114.090, 58.838, 3112, 947),
    }
    for kind, numbers in expected.items():
        phantom = draw(kind)
        found = (
            phantom.image.mean(),
            phantom.image.std(),
            phantom.lung.sum(),
            phantom.lesion.sum(),
        )
        assert found == pytest.approx(numbers, abs=0.01)
