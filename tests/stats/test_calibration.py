import numpy as np
import pytest
from scipy.special import softmax

from xray.stats.calibration import (
    apply_temperature,
    estimate_prior,
    fit_bias_corrected,
    fit_temperature,
    prior_weights,
    reliability,
    reweight,
)
from xray.stats.scores import calibration_error, log_loss


def made(n: int, temperature: float, k: int = 3, seed: int = 0):
    """Return overconfident probabilities, and classes drawn from the true ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2
    targets = np.array([rng.choice(k, p=row) for row in softmax(logits, axis=1)])
    return softmax(logits * temperature, axis=1), targets


def test_apply_temperature_exact_values():
    # Odds of 9:1 become 3:1 at T = 2; T = 1 changes nothing.
    p = np.array([[0.1, 0.9], [0.5, 0.5]])
    assert apply_temperature(p, 2.0) == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert apply_temperature(p, 1.0) == pytest.approx(p)


def test_probabilities_of_0_and_1_stay_finite():
    scaled = apply_temperature(np.array([[0.0, 1.0]]), 1.5)
    assert np.isfinite(scaled).all()
    assert scaled.sum() == pytest.approx(1)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_fit_recovers_the_true_temperature(true):
    probabilities, targets = made(4000, true)
    assert fit_temperature(probabilities, targets) == pytest.approx(true, rel=0.06)


def test_fit_exact_value():
    # 3 of 4 are correct at odds of 9:1. The best odds are 3:1, so T = ln 9 / ln 3 = 2.
    probabilities = np.tile([0.1, 0.9], (4, 1))
    assert fit_temperature(probabilities, np.array([1, 1, 1, 0])) == pytest.approx(2.0, rel=1e-4)


def test_temperature_reduces_loss_and_calibration_error():
    probabilities, targets = made(3000, 3.0)
    temperature = fit_temperature(probabilities, targets)
    assert temperature is not None
    scaled, once = apply_temperature(probabilities, temperature), np.ones((1, 3000))
    assert log_loss(targets, scaled, once) < log_loss(targets, probabilities, once)
    assert calibration_error(targets, probabilities, once) > 0.1
    assert calibration_error(targets, scaled, once) < 0.03


def test_no_temperature_without_errors_or_without_correct_predictions():
    probabilities = np.array([[0.1, 0.9], [0.8, 0.2]])
    assert fit_temperature(probabilities, np.array([1, 0])) is None
    assert fit_temperature(probabilities, np.array([0, 1])) is None


def test_reliability_exact_values():
    p = np.array([0.12, 0.18, 0.95])
    found = reliability(np.stack([1 - p, p], axis=1), np.array([0, 1, 1]))
    assert found == [(2, pytest.approx(0.15), 0.5), (1, 0.95, 1.0)]


def test_estimate_prior_recovers_the_prevalence():
    rng = np.random.default_rng(3)
    # Two normal distributions, calibrated for a prevalence of 1/2. Here it is 1/10.
    truth = rng.random(20_000) < 0.1
    score = rng.normal(size=20_000) + 2 * truth
    p = 1 / (1 + np.exp(-(2 * score - 2)))
    probabilities = np.stack([1 - p, p], axis=1)
    assert p.mean() > 0.15
    prior, corrected = estimate_prior(probabilities, np.array([0.5, 0.5]))
    assert prior == pytest.approx([1 - truth.mean(), truth.mean()], abs=0.01)
    assert corrected.sum(axis=1) == pytest.approx(np.ones(20_000))
    # Bayes' theorem with the new odds, 1 to 9.
    odds = p[:5] / (1 - p[:5]) * prior[1] / prior[0]
    assert corrected[:5, 1] == pytest.approx(odds / (1 + odds))


def test_estimate_prior_exact_values():
    # Calibrated for a prevalence of 1/2: the probability is 0.8 for 80 % of positive and 20 % of
    # negative images, else 0.2. It is 0.8 for 35 of 100: 0.8 x + 0.2 (1 - x) = 0.35, so x = 1/4.
    p = np.where(np.arange(100) < 35, 0.8, 0.2)
    estimated, corrected = estimate_prior(np.stack([1 - p, p], axis=1), np.array([0.5, 0.5]))
    assert estimated == pytest.approx([0.75, 0.25], abs=1e-4)
    # Odds of 4 become 4/3, and odds of 1/4 become 1/12.
    assert corrected[0, 1] == pytest.approx(4 / 7, abs=1e-3)
    assert corrected[-1, 1] == pytest.approx(1 / 13, abs=1e-3)


def test_estimate_prior_without_a_shift():
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9]])
    prior, corrected = estimate_prior(probabilities, np.array([0.5, 0.5]))
    assert prior == pytest.approx([0.5, 0.5])
    assert corrected == pytest.approx(probabilities)


def test_prior_weights_undo_a_balanced_loss():
    # Calibrated for a prevalence of 1/10, then distorted as by a loss that weights positives by 9.
    rng = np.random.default_rng(4)
    p = rng.beta(0.5, 4.5, 4000)
    true = np.stack([1 - p, p], axis=1)
    balanced = reweight(true, np.array([1.0, 9.0]))
    weights = prior_weights(balanced, true.mean(axis=0))
    assert weights[0] / weights[1] == pytest.approx(9.0, rel=1e-5)
    assert reweight(balanced, weights) == pytest.approx(true, abs=1e-6)


def test_reweight_exact_values():
    found = reweight(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([1.0, 3.0]))
    assert found == pytest.approx(np.array([[0.25, 0.75], [0.0, 1.0]]))


def test_bias_corrected_fit_recovers_temperature_and_weights():
    probabilities, targets = made(6000, 2.0)
    given = reweight(probabilities, np.array([1.0, 3.0, 1.0]))
    temperature, weights = fit_bias_corrected(given, targets)
    assert temperature == pytest.approx(2.0, rel=0.06)
    # A factor of 3 before a temperature of 2 is a factor of sqrt(3) after it.
    assert weights[0] / weights[1] == pytest.approx(3**0.5, rel=0.08)
    assert weights[0] / weights[2] == pytest.approx(1.0, rel=0.08)


def test_bias_corrected_fit_without_errors_keeps_the_temperature():
    temperature, _ = fit_bias_corrected(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 0]))
    assert temperature == 1.0
