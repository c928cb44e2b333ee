import numpy as np
import pytest
from scipy.special import softmax

from xray.stats.calibration import (
    apply_temperature,
    fit_bias_corrected,
    fit_temperature,
    prior_weights,
    reliability,
    reweighted,
    shifted_prior,
)
from xray.stats.scores import calibration_error, log_loss


def made(n: int, temperature: float, k: int = 3, seed: int = 0):
    """Targets drawn from softmax(logits), and the probabilities of a network too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2
    targets = np.array([rng.choice(k, p=row) for row in softmax(logits, axis=1)])
    return softmax(logits * temperature, axis=1), targets


def test_temperature_by_hand():
    # Odds of 9 to 1 are 3 to 1 at T = 2; T = 1 changes nothing.
    p = np.array([[0.1, 0.9], [0.5, 0.5]])
    assert apply_temperature(p, 2.0) == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert apply_temperature(p, 1.0) == pytest.approx(p)


def test_a_certain_probability_stays_finite():
    mended = apply_temperature(np.array([[0.0, 1.0]]), 1.5)
    assert np.isfinite(mended).all()
    assert mended.sum() == pytest.approx(1)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(true):
    probabilities, targets = made(4000, true)
    assert fit_temperature(probabilities, targets) == pytest.approx(true, rel=0.06)


def test_the_fit_by_hand():
    # 3 of 4 are right at odds of 9 to 1: the best odds are 3 to 1, T = ln 9 / ln 3 = 2.
    probabilities = np.tile([0.1, 0.9], (4, 1))
    assert fit_temperature(probabilities, np.array([1, 1, 1, 0])) == pytest.approx(2.0, rel=1e-4)


def test_scaling_mends_loss_and_calibration():
    probabilities, targets = made(3000, 3.0)
    temperature = fit_temperature(probabilities, targets)
    assert temperature is not None
    mended, once = apply_temperature(probabilities, temperature), np.ones((1, 3000))
    assert log_loss(targets, mended, once) < log_loss(targets, probabilities, once)
    assert calibration_error(targets, probabilities, once) > 0.1
    assert calibration_error(targets, mended, once) < 0.03


def test_no_temperature_is_best_without_a_mistake_or_where_all_is_wrong():
    probabilities = np.array([[0.1, 0.9], [0.8, 0.2]])
    assert fit_temperature(probabilities, np.array([1, 0])) is None
    assert fit_temperature(probabilities, np.array([0, 1])) is None


def test_reliability_by_hand():
    p = np.array([0.12, 0.18, 0.95])
    found = reliability(np.stack([1 - p, p], axis=1), np.array([0, 1, 1]))
    assert found == [(2, pytest.approx(0.15), 0.5), (1, 0.95, 1.0)]


def test_the_prior_of_shifted_images_is_found():
    rng = np.random.default_rng(3)
    # Two normals 2 apart, calibrated where half are positive; here a tenth is.
    truth = rng.random(20_000) < 0.1
    score = rng.normal(size=20_000) + 2 * truth
    p = 1 / (1 + np.exp(-(2 * score - 2)))
    probabilities = np.stack([1 - p, p], axis=1)
    assert p.mean() > 0.15
    prior, corrected = shifted_prior(probabilities, np.array([0.5, 0.5]))
    assert prior == pytest.approx([1 - truth.mean(), truth.mean()], abs=0.01)
    assert corrected.sum(axis=1) == pytest.approx(np.ones(20_000))
    # Bayes' theorem with the new odds, 1 to 9.
    odds = p[:5] / (1 - p[:5]) * prior[1] / prior[0]
    assert corrected[:5, 1] == pytest.approx(odds / (1 + odds))


def test_the_prior_by_hand():
    # Half are ill where it was fitted, and 0.8 or 0.2 is said: of 0.8 of the ill and 0.2 of the
    # healthy the higher. It is said of 35 in 100: 0.8 x + 0.2 (1 - x) = 0.35, a quarter are ill.
    said = np.where(np.arange(100) < 35, 0.8, 0.2)
    estimated, corrected = shifted_prior(np.stack([1 - said, said], axis=1), np.array([0.5, 0.5]))
    assert estimated == pytest.approx([0.75, 0.25], abs=1e-4)
    # The odds of 4 become 4/3, and those of 1/4 become 1/12.
    assert corrected[0, 1] == pytest.approx(4 / 7, abs=1e-3)
    assert corrected[-1, 1] == pytest.approx(1 / 13, abs=1e-3)


def test_without_a_shift_the_prior_stays():
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9]])
    prior, corrected = shifted_prior(probabilities, np.array([0.5, 0.5]))
    assert prior == pytest.approx([0.5, 0.5])
    assert corrected == pytest.approx(probabilities)


def test_weights_undo_a_balanced_loss():
    # Calibrated for a tenth of positives, then as a loss that weighs them nine times teaches it.
    rng = np.random.default_rng(4)
    p = rng.beta(0.5, 4.5, 4000)
    true = np.stack([1 - p, p], axis=1)
    balanced = reweighted(true, np.array([1.0, 9.0]))
    weights = prior_weights(balanced, true.mean(axis=0))
    assert weights[0] / weights[1] == pytest.approx(9.0, rel=1e-5)
    assert reweighted(balanced, weights) == pytest.approx(true, abs=1e-6)


def test_reweighting_by_hand():
    found = reweighted(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([1.0, 3.0]))
    assert found == pytest.approx(np.array([[0.25, 0.75], [0.0, 1.0]]))


def test_temperature_and_weights_that_were_put_in_are_found():
    probabilities, targets = made(6000, 2.0)
    given = reweighted(probabilities, np.array([1.0, 3.0, 1.0]))
    temperature, weights = fit_bias_corrected(given, targets)
    assert temperature == pytest.approx(2.0, rel=0.06)
    # What was multiplied by 3 is divided by the root of 3 behind the temperature.
    assert weights[0] / weights[1] == pytest.approx(3**0.5, rel=0.08)
    assert weights[0] / weights[2] == pytest.approx(1.0, rel=0.08)


def test_without_a_mistake_the_temperature_is_left():
    temperature, _ = fit_bias_corrected(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 0]))
    assert temperature == 1.0
