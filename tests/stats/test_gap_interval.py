import numpy as np
import pytest
from scipy.special import expit

from xray.stats.bootstrap import Resampled, resample
from xray.stats.gap_interval import gap_interval
from xray.stats.scores import calibration_error, calibration_gaps


def drawn(values, draws, patients=3):
    """Gaps of as many bins as there are values; `draws` are a row a resample."""
    left_out = np.zeros(patients)
    columns = np.asarray(draws, dtype=float).T
    return [Resampled(v, column, left_out) for v, column in zip(values, columns, strict=True)]


def interval_of(probability, truth, draws=300, seed=0):
    given = np.stack([1 - probability, probability], axis=1)

    def score(weights):
        gaps = calibration_gaps(truth.astype(np.int64), given, weights)
        return {str(i): column for i, column in enumerate(gaps.T)}

    patients = [f"p{i}" for i in range(len(truth))]
    return gap_interval(list(resample(score, patients, draws=draws, seed=seed).values()))


def test_the_error_is_the_sum_of_the_gaps():
    targets = np.array([1, 0, 1, 1])
    given = np.array([[0.25, 0.75], [0.25, 0.75], [0.5, 0.5], [0.75, 0.25]])
    weights = np.array([[1.0, 1, 1, 1], [0, 0, 0, 2], [0, 0, 0, 0]])
    gaps = calibration_gaps(targets, given, weights)
    # Two at 0.75, one of them true: 2/4 * 0.25; one each at 0.5 and 0.25, both true.
    assert gaps[0, [7, 5, 2]].tolist() == [0.125, -0.125, -0.1875]
    assert gaps[1].sum() == -0.75
    error = calibration_error(targets, given, weights)
    np.testing.assert_array_equal(error[:2], [0.4375, 0.75])
    assert np.isnan(error[2])


def test_the_ends_by_hand():
    # Draws of one bin: 0.3 and 0.1 in turn around 0.2, so that chance moves the sum by 0.1 only.
    found = gap_interval(drawn([0.2], [[0.3], [0.1]] * 50))
    # Twice the sum less the upper quantile; the sum and 1.96 standard deviations of 0.1.
    assert (found.low, found.high) == pytest.approx((2 * 0.2 - 0.3, 0.2 + 1.959964 * 0.1))


def test_what_chance_explains_reaches_down_to_0():
    # Around -0.1 and 0.1 the draws move by 0.1 each: a sum of 0.2 out of nothing.
    draws = [[0.0, 0.2], [-0.2, 0.0], [0.0, 0.0], [-0.2, 0.2]] * 20
    assert gap_interval(drawn([-0.1, 0.1], draws)).low == 0.0
    assert gap_interval(drawn([-0.8, 0.1], np.array(draws) - [0.7, 0])).high == 1.0


@pytest.mark.parametrize(
    "gaps",
    [
        drawn([0.2], [[0.3], [0.1]], patients=1),
        drawn([0.2], [[0.2], [0.2]]),
        drawn([np.nan], [[0.3], [0.1]]),
        drawn([0.2], [[0.3], [np.nan]]),
    ],
)
def test_nothing_to_go_by_gives_no_interval(gaps):
    assert gap_interval(gaps) is None


@pytest.mark.parametrize("sharpness", [1.0, 2.0])
def test_it_covers_the_truth_in_some_95_of_100_sets(sharpness):
    """Logits of a spread of 2: right about themselves, or twice too sure."""
    many = np.random.default_rng(1).normal(0, 2, 400_000)
    everybody = np.stack([1 - expit(sharpness * many), expit(sharpness * many)], axis=1)
    # Every image as often ill as not, by its true probability: no chance but the images'.
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
