import numpy as np
import pytest
from scipy.stats import chi2

from xray.stats.paired import holm, mcnemar


def outcomes(both: int, one: int, other: int, neither: int):
    """Whether each of two networks is right, from the table of their agreement."""
    first = [True] * (both + one) + [False] * (other + neither)
    second = [True] * both + [False] * one + [True] * other + [False] * neither
    return np.array(first), np.array(second)


def test_mcnemar_by_hand():
    # Apart on 1 and 5: 2 (C(6,0) + C(6,1)) / 2^6 = 14/64.
    assert mcnemar(*outcomes(10, 1, 5, 3)) == pytest.approx(14 / 64)


def test_mcnemar_of_the_approval_ratings():
    # Agresti, Categorical Data Analysis, table 10.1: 794, 150, 86, 570; z^2 = 64^2 / 236 = 17.36.
    found = mcnemar(*outcomes(794, 150, 86, 570))
    assert found == pytest.approx(3.7e-5, rel=0.02)
    assert found == pytest.approx(chi2.sf((64 - 1) ** 2 / 236, 1), rel=0.1)


def test_mcnemar_of_equals():
    assert mcnemar(*outcomes(5, 0, 0, 5)) == 1.0
    assert mcnemar(*outcomes(5, 3, 3, 5)) == 1.0


def test_holm_by_hand():
    # Ascending 0.005, 0.01, 0.03, 0.04 by 4, 3, 2, 1, and never less than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_counts_only_the_tests_made():
    assert holm([None, 0.02, None, 0.04]) == [None, 0.04, None, 0.04]
    assert holm([None]) == [None]
    assert holm([]) == []
