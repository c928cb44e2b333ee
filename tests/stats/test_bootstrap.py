import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import binomtest, bootstrap

from xray.stats.bootstrap import Resampled, estimate, resample, wilson
from xray.stats.intervals import Estimate, Interval
from xray.stats.scores import auroc, ratio


def mean_of(values):
    values = np.asarray(values, dtype=float)
    return lambda weights: {"mean": ratio(weights @ values, weights.sum(axis=1))}


def people(n: int) -> list[str]:
    return [f"p{i}" for i in range(n)]


def test_resamples_contain_all_images_of_a_patient():
    seen = []

    def keep(weights):
        seen.append(weights)
        return {"n": weights.sum(axis=1)}

    patients = ["a", "b", "a", "c", "b", "a"]
    found = resample(keep, patients, draws=50)["n"]
    drawn = next(weights for weights in seen if len(weights) == 50)
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 2])
    np.testing.assert_array_equal(drawn[:, 1], drawn[:, 4])
    # Three patients with three, two and one images are drawn each time.
    assert set(drawn[:, 0] + drawn[:, 1] + drawn[:, 3]) == {3.0}
    assert found.value == 6
    assert sorted(found.left_out) == [3, 4, 5]
    assert found.draws.shape == (50,)


def test_resamples_depend_on_the_seed_only():
    values = np.random.default_rng(0).normal(size=30)
    one, same, other = (
        resample(mean_of(values), people(30), draws=40, seed=seed)["mean"].draws
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_resampling_in_portions_gives_the_same_result(monkeypatch):
    values = np.arange(20.0)
    whole = resample(mean_of(values), people(20), draws=30)["mean"]
    monkeypatch.setattr("xray.stats.bootstrap._MAX_CELLS", 70)
    parts = resample(mean_of(values), people(20), draws=30)["mean"]
    np.testing.assert_allclose(np.sort(parts.left_out), np.sort(whole.left_out))
    assert parts.draws.shape == (30,)
    assert abs(parts.draws.mean() - 9.5) < 1


def test_interval_matches_scipys_bca():
    values = np.random.default_rng(1).exponential(size=80)
    ours = resample(mean_of(values), people(80), draws=20_000)["mean"].interval()
    theirs = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.012)


def test_more_than_500_patients_are_left_out_in_groups():
    found = resample(mean_of(np.ones(1200)), people(1200), draws=5)["mean"]
    assert found.left_out.shape == (500,)


@pytest.mark.parametrize(
    ("values", "patients"),
    [([0.0, 1.0, 1.0], ["a", "a", "a"]), ([1.0, 1.0, 1.0], ["a", "b", "c"]), ([], [])],
)
def test_no_interval_for_one_patient_equal_values_or_no_images(values, patients):
    assert resample(mean_of(values), patients, draws=100)["mean"].interval() is None


def test_no_interval_for_one_class():
    score = np.linspace(0, 1, 8)
    truth = np.ones(8, bool)
    found = resample(lambda w: {"auroc": auroc(truth, score, w)}, people(8), draws=50)["auroc"]
    assert np.isnan(found.value)
    assert found.interval() is None


def test_no_interval_if_a_score_is_often_undefined():
    # One positive patient of eight: a third of the resamples do not contain it.
    truth = np.arange(8) == 5
    score = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.5, 0.4, 0.6])
    found = resample(lambda w: {"auroc": auroc(truth, score, w)}, people(8), draws=500)["auroc"]
    assert 0.25 < np.isnan(found.draws).mean() < 0.45
    assert found.interval() is None


def test_a_proportion_of_one_has_wilsons_interval():
    found = resample(mean_of([1.0] * 10), people(10), draws=50)["mean"]
    assert found.interval(share_of=10) == wilson(1.0, 10)
    assert found.interval(share_of=1) is None


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 11), (20, 20)])
def test_wilson_matches_scipy(k, n):
    theirs = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k / n, n) == Interval(
        pytest.approx(theirs.low, abs=1e-12), pytest.approx(theirs.high, abs=1e-12)
    )


def test_differences_are_paired():
    one = resample(mean_of([1, 0, 1, 1]), people(4), draws=60, seed=1)["mean"]
    same = resample(mean_of([1, 0, 1, 1]), people(4), draws=60, seed=1)["mean"]
    difference = one - same
    assert isinstance(difference, Resampled)
    assert difference.value == 0
    assert not difference.draws.any()
    assert difference.interval() is None


@pytest.mark.slow
@pytest.mark.parametrize("images", [1, 3])
def test_intervals_cover_the_true_value_in_95_percent_of_sets(images):
    """AUROC of two normal distributions; similar images of a patient must widen the interval."""
    rng, covered, patients = np.random.default_rng(5), 0, 160
    truth = np.repeat(np.arange(patients) % 2 == 1, images)
    names = [f"p{i}" for i in np.repeat(np.arange(patients), images)]
    for seed in range(500):
        between = np.repeat(rng.normal(size=patients), images) * 0.8
        score = between + 0.6 * rng.normal(size=len(truth)) + 1.2 * truth
        found = resample(
            lambda w, score=score: {"auroc": auroc(truth, score, w)}, names, draws=300, seed=seed
        )
        interval = found["auroc"].interval()
        assert interval is not None
        covered += interval.low <= ndtr(1.2 / 2**0.5) <= interval.high
    assert 0.93 <= covered / 500 <= 0.97


def test_estimate_combines_value_and_interval():
    values, patients = np.arange(20.0) / 20, people(20)
    found = estimate(mean_of(values), patients, draws=100)["mean"]
    interval = resample(mean_of(values), patients, draws=100)["mean"].interval()
    assert interval is not None
    assert found == Estimate(0.475, round(interval.low, 10), round(interval.high, 10))
    perfect = estimate(mean_of([1.0] * 10), people(10), {"mean": 10}, draws=20)["mean"]
    assert perfect.low == round(wilson(1.0, 10).low, 10)


def test_estimate_formats_and_converts():
    whole = Estimate.of(0.95512345678901, Interval(0.9381, float("inf")))
    assert whole == Estimate(0.9551234568, 0.9381, None)
    assert str(whole) == "0.955"
    assert str(Estimate(0.955, 0.938, 0.97)) == "0.955 [0.938, 0.970]"
    assert str(Estimate.of(float("nan"), None)) == "-"
    assert Estimate.from_dict(whole.as_dict()) == whole
    assert Estimate.from_dict({}) == Estimate()
