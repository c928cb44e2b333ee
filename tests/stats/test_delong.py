import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from xray.stats.delong import delong, delong_test


def by_pairs(truth, scores):
    """DeLong's structural components from every pair, O(N^2): his formulas as they stand."""
    above, below = [], []
    for score in scores:
        gap = score[truth][:, None] - score[~truth][None, :]
        kernel = (gap > 0) + 0.5 * (gap == 0)
        above.append(kernel.mean(axis=1))
        below.append(kernel.mean(axis=0))
    m, n = truth.sum(), (~truth).sum()
    covariance = np.cov(above) / m + np.cov(below) / n
    return np.mean(above, axis=1), covariance


def test_four_images_by_hand():
    # Positives 3 and 5, negatives 1 and 4: 3 of 4 pairs. The positives' shares are 1/2 and 1, the
    # negatives' 1 and 1/2; each has the variance 1/8.
    truth = np.array([True, True, False, False])
    found = delong(truth, np.array([[3.0, 5.0, 1.0, 4.0]]))
    assert found is not None
    assert found[0] == pytest.approx([0.75])
    assert found[1] == pytest.approx(np.array([[1 / 8 / 2 + 1 / 8 / 2]]))


def test_two_networks_by_hand():
    # The other ranks all pairs rightly but one tie: the shares of its positives are 3/4 and 1,
    # those of its negatives 1 and 3/4.
    truth = np.array([True, True, False, False])
    one, other = np.array([3.0, 5.0, 1.0, 4.0]), np.array([4.0, 5.0, 1.0, 4.0])
    found = delong(truth, np.stack([one, other]))
    assert found is not None
    assert found[0] == pytest.approx([0.75, 0.875])
    assert found[1] == pytest.approx(np.array([[1 / 8, 1 / 16], [1 / 16, 1 / 32]]))
    # Variance 1/8 + 1/32 - 2/16 = 1/32 and z = 0.125 / 0.17678 = 0.7071: p = 0.4795.
    assert delong_test(truth, one, other) == pytest.approx(0.4795, abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_midranks_agree_with_all_pairs(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random(70) < 0.4
    scores = (rng.normal(size=(3, 70)) + truth).round(1)
    found = delong(truth, scores)
    assert found is not None
    aurocs, covariance = by_pairs(truth, scores)
    np.testing.assert_allclose(found[0], aurocs, atol=1e-12)
    np.testing.assert_allclose(found[1], covariance, atol=1e-12)
    assert found[0] == pytest.approx([roc_auc_score(truth, score) for score in scores])


def test_the_test_keeps_its_level():
    rng, rejected = np.random.default_rng(2), 0
    truth = np.arange(80) % 2 == 1
    for _ in range(400):
        common = rng.normal(size=80) + truth
        one, other = common + rng.normal(size=(2, 80))
        p = delong_test(truth, one, other)
        assert p is not None
        rejected += p < 0.05
    assert 0.025 <= rejected / 400 <= 0.08


def test_what_cannot_be_tested():
    truth = np.array([True, True, False, False])
    right, wrong = np.array([3.0, 4.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0, 4.0])
    assert delong_test(truth, right, right) == 1.0
    assert delong_test(truth, right, wrong) is None
    assert delong_test(np.array([True, False, False, False]), right, wrong) is None
