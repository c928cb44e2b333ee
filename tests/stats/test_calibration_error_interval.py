import numpy as np
import pytest
from scipy.special import expit

from xray.stats.bootstrap import Resampled, resample
from xray.stats.calibration import calibration_error_interval
from xray.stats.scores import calibration_error, calibration_gaps


def drawn(values, draws, patients=3):
    """Return resampled gaps of len(values) bins; each row of `draws` is one resample."""
    left_out = np.zeros(patients)
    columns = np.asarray(draws, dtype=float).T
    return [Resampled(v, column, left_out) for v, column in zip(values, columns, strict=True)]


def interval_of(probability, truth, draws=300, seed=0):
    given = np.stack([1 - probability, probability], axis=1)

    def score(weights):
        gaps = calibration_gaps(truth.astype(np.int64), given, weights)
        return {str(i): column for i, column in enumerate(gaps.T)}

    patients = [f"p{i}" for i in range(len(truth))]
    return calibration_error_interval(
        list(resample(score, patients, draws=draws, seed=seed).values())
    )


def test_the_error_is_the_sum_of_absolute_gaps():
    targets = np.array([1, 0, 1, 1])
    given = np.array([[0.25, 0.75], [0.25, 0.75], [0.5, 0.5], [0.75, 0.25]])
    weights = np.array([[1.0, 1, 1, 1], [0, 0, 0, 2], [0, 0, 0, 0]])
    gaps = calibration_gaps(targets, given, weights)
    # Two at 0.75, one of them positive: 2/4 * 0.25. One each at 0.5 and 0.25, both positive.
    assert gaps[0, [7, 5, 2]].tolist() == [0.125, -0.125, -0.1875]
    assert gaps[1].sum() == -0.75
    error = calibration_error(targets, given, weights)
    np.testing.assert_array_equal(error[:2], [0.4375, 0.75])
    assert np.isnan(error[2])


def test_bounds_exact_values():
    # The resamples of one bin alternate between 0.3 and 0.1 around 0.2.
    found = calibration_error_interval(drawn([0.2], [[0.3], [0.1]] * 50))
    # Low: twice the sum minus the upper quantile. High: the sum plus 1.96 standard deviations.
    assert (found.low, found.high) == pytest.approx((2 * 0.2 - 0.3, 0.2 + 1.959964 * 0.1))


def test_lower_bound_is_0_if_chance_explains_the_error():
    # The resamples deviate by 0.1 each from -0.1 and 0.1, so chance alone gives a sum of 0.2.
    draws = [[0.0, 0.2], [-0.2, 0.0], [0.0, 0.0], [-0.2, 0.2]] * 20
    assert calibration_error_interval(drawn([-0.1, 0.1], draws)).low == 0.0
    assert calibration_error_interval(drawn([-0.8, 0.1], np.array(draws) - [0.7, 0])).high == 1.0


@pytest.mark.parametrize(
    "gaps",
    [
        drawn([0.2], [[0.3], [0.1]], patients=1),
        drawn([0.2], [[0.2], [0.2]]),
        drawn([np.nan], [[0.3], [0.1]]),
        drawn([0.2], [[0.3], [np.nan]]),
    ],
)
def test_no_interval(gaps):
    assert calibration_error_interval(gaps) is None


@pytest.mark.parametrize("sharpness", [1.0, 2.0])
def test_interval_covers_the_true_error_in_about_95_percent_of_sets(sharpness):
    """Logits with standard deviation 2: calibrated, or overconfident by a factor of 2."""
    many = np.random.default_rng(1).normal(0, 2, 400_000)
    everybody = np.stack([1 - expit(sharpness * many), expit(sharpness * many)], axis=1)
    # Each image occurs with both classes, weighted by their true probabilities.
    truth = np.r_[np.ones(len(many), np.int64), np.zeros(len(many), np.int64)]
    weights = np.r_[expit(many), expit(-many)][None]
    true_error = calibration_error(truth, np.r_[everybody, everybody], weights)[0]
    rng, covered = np.random.default_rng(5), 0
    for seed in range(250):
        logits = rng.normal(0, 2, 300)
        ill = rng.random(300) < expit(logits)
        found = interval_of(expit(sharpness * logits), ill, seed=seed)
        covered += found.low <= true_error <= found.high
    assert 0.91 <= covered / 250 <= 0.99
