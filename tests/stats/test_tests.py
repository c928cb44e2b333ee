import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.metrics import roc_auc_score

from xray.stats.tests import delong, delong_test, holm, mcnemar


def by_pairs(truth, scores):
    """Compute DeLong's structural components from all pairs, in O(N^2)."""
    above, below = [], []
    for score in scores:
        gap = score[truth][:, None] - score[~truth][None, :]
        kernel = (gap > 0) + 0.5 * (gap == 0)
        above.append(kernel.mean(axis=1))
        below.append(kernel.mean(axis=0))
    m, n = truth.sum(), (~truth).sum()
    covariance = np.cov(above) / m + np.cov(below) / n
    return np.mean(above, axis=1), covariance


def test_delong_of_four_images():
    # Positives 3 and 5, negatives 1 and 4: 3 of 4 pairs. The positives' shares are 1/2 and 1, the
    # negatives' 1 and 1/2; each has the variance 1/8.
    truth = np.array([True, True, False, False])
    found = delong(truth, np.array([[3.0, 5.0, 1.0, 4.0]]))
    assert found is not None
    assert found[0] == pytest.approx([0.75])
    assert found[1] == pytest.approx(np.array([[1 / 8 / 2 + 1 / 8 / 2]]))


def test_delong_test_of_two_models():
    # The second model ranks all pairs correctly except for one tie: the shares of its positives
    # are 3/4 and 1, those of its negatives 1 and 3/4.
    truth = np.array([True, True, False, False])
    one, other = np.array([3.0, 5.0, 1.0, 4.0]), np.array([4.0, 5.0, 1.0, 4.0])
    found = delong(truth, np.stack([one, other]))
    assert found is not None
    assert found[0] == pytest.approx([0.75, 0.875])
    assert found[1] == pytest.approx(np.array([[1 / 8, 1 / 16], [1 / 16, 1 / 32]]))
    # Variance 1/8 + 1/32 - 2/16 = 1/32 and z = 0.125 / 0.17678 = 0.7071: p = 0.4795.
    assert delong_test(truth, one, other) == pytest.approx(0.4795, abs=1e-4)


# Of DeLong et al. (1988), as SAS/STAT's example of ROC curves prints them (PROC LOGISTIC): albumin,
# total protein and K-G score of 43 patients with ovarian cancer, and whether surgery helped.
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""


def test_delong_agrees_with_the_published_example():
    albumin, protein, score, helped = np.array(OVARIAN.split(), float).reshape(-1, 4).T
    # A low K-G score is better.
    tests = np.stack([albumin, protein, -score])
    found = delong(helped == 1, tests)
    assert found is not None
    aurocs, covariance = found
    assert aurocs == pytest.approx([0.7366, 0.6478, 0.7258], abs=5e-5)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.0927, 0.1000, 0.1028], abs=5e-5)
    contrast = np.array([[1, 0, -1], [0, 1, -1]])
    errors = np.sqrt(np.diag(contrast @ covariance @ contrast.T))
    assert contrast @ aurocs == pytest.approx([0.0108, -0.0780], abs=5e-5)
    assert errors == pytest.approx([0.0953, 0.1046], abs=5e-5)
    assert delong_test(helped == 1, tests[0], tests[2]) == pytest.approx(0.910, abs=5e-4)
    assert delong_test(helped == 1, tests[1], tests[2]) == pytest.approx(0.456, abs=5e-4)


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


def test_delong_test_has_the_nominal_error_rate():
    rng, rejected = np.random.default_rng(2), 0
    truth = np.arange(80) % 2 == 1
    for _ in range(400):
        common = rng.normal(size=80) + truth
        one, other = common + rng.normal(size=(2, 80))
        p = delong_test(truth, one, other)
        assert p is not None
        rejected += p < 0.05
    assert 0.025 <= rejected / 400 <= 0.08


def test_delong_test_without_variance_or_images():
    truth = np.array([True, True, False, False])
    right, wrong = np.array([3.0, 4.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0, 4.0])
    assert delong_test(truth, right, right) == 1.0
    assert delong_test(truth, right, wrong) is None
    assert delong_test(np.array([True, False, False, False]), right, wrong) is None


def outcomes(both: int, one: int, other: int, neither: int):
    """Return whether each of two models is correct, from the counts of their agreement."""
    first = [True] * (both + one) + [False] * (other + neither)
    second = [True] * both + [False] * one + [True] * other + [False] * neither
    return np.array(first), np.array(second)


def test_mcnemar_exact_value():
    # Discordant on 1 and 5 images: 2 (C(6,0) + C(6,1)) / 2^6 = 14/64.
    assert mcnemar(*outcomes(10, 1, 5, 3)) == pytest.approx(14 / 64)


def test_mcnemar_of_agrestis_approval_ratings():
    # Agresti, Categorical Data Analysis, table 10.1: 794, 150, 86, 570; z^2 = 64^2 / 236 = 17.36.
    found = mcnemar(*outcomes(794, 150, 86, 570))
    assert found == pytest.approx(3.7e-5, rel=0.02)
    assert found == pytest.approx(chi2.sf((64 - 1) ** 2 / 236, 1), rel=0.1)


def test_mcnemar_of_equally_good_models():
    assert mcnemar(*outcomes(5, 0, 0, 5)) == 1.0
    assert mcnemar(*outcomes(5, 3, 3, 5)) == 1.0


def test_holm_exact_values():
    # Sorted: 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, and never less than the previous one.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_counts_computed_tests_only():
    assert holm([None, 0.02, None, 0.04]) == [None, 0.04, None, 0.04]
    assert holm([None]) == [None]
    assert holm([]) == []
