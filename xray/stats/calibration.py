"""Calibration of probabilities: temperature scaling, reliability, prior shift, error intervals.

Interval of the expected calibration error (`calibration_error_interval`): The error is a sum of
absolute values, so it is biased: a perfectly calibrated model has an error of about 0.04 on 600
images. Resamples add the same bias once more, so quantiles of the resampled errors would miss the
true value.

The lower bound is that of the basic bootstrap, which removes the bias (Davison and Hinkley 1997,
section 5.2). It is 0 if the deviations of the gaps from their own mean alone reach the observed
error in at least 1 of 40 resamples. The upper bound is the normal approximation of the biased
error. The first rule corrects the coverage near 0, the second for large errors.

Coverage in 18 kinds of simulated sets (calibrated, shifted, over- and underconfident; probabilities
narrow, wide or near 0 and 1) with 500 sets each:

- 300 images: 94.4 % on average, 89 to 98 %; calibrated sets 94 to 98 %.
- 600 images: 95.1 % on average, 93 to 97 %; calibrated sets 95 to 97 %.
- 600 images of 200 patients with three similar images each: 93.8 % on average, 86 to 97 %;
  calibrated sets 92 to 97 %.

Coverage is lowest for underconfident models with nearly all probabilities above 0.9 or below 0.1,
because such sets contain few errors.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtri, softmax

from xray.stats.bootstrap import LEVEL, MIN_PATIENTS, Resampled
from xray.stats.intervals import Interval
from xray.stats.scores import BINS, Floats, Ints, bin_of, confidence, log_loss

_MIN_PROBABILITY = 1e-300
_MAX_LOG_TEMPERATURE = 4.0
_MAX_EM_STEPS = 10_000
_MAX_SCALING_STEPS = 200
_TOLERANCE = 1e-10
_EQUAL = 1e-12
"""Resampled errors within this range count as equal."""


def apply_temperature(probabilities: Floats, temperature: float) -> Floats:
    """Compute softmax(logits / T), with ln(p) in place of the logits.

    The logits equal ln(p) up to a constant, which does not change the softmax.

    Args:
        probabilities: Probabilities with rows that sum to 1, shape (N, K).
        temperature: Temperature above 0. Values above 1 make probabilities less extreme.
    """
    logits = np.log(probabilities.clip(_MIN_PROBABILITY, 1.0))
    scaled: Floats = softmax(logits / temperature, axis=1)
    return scaled


def fit_temperature(probabilities: Floats, targets: Ints) -> float | None:
    """Fit the temperature in [e^-4, e^4] with the lowest log loss (Guo et al. 2017).

    Args:
        probabilities: Probabilities of validation images, shape (N, K), N at least 1.
        targets: Class indices, shape (N,).

    Returns:
        None if the loss has no minimum: without errors, a lower temperature is always better; for a
        model that is worse than chance, a higher one is.
    """
    return _best_temperature(lambda t: apply_temperature(probabilities, t), targets)


def fit_bias_corrected(probabilities: Floats, targets: Ints) -> tuple[float, Floats]:
    """Fit a temperature and class weights with the lowest log loss (Alexandari et al. 2020).

    A class-weighted training loss makes a model predict balanced classes. A temperature alone
    cannot correct this.

    Args:
        probabilities: Probabilities of validation images of every class, shape (N, K).
        targets: Class indices, shape (N,).

    Returns:
        The temperature (1.0 if the loss has no minimum), and weights for `reweight`, shape (K,),
        to be applied after the temperature.
    """
    shares = np.bincount(targets, minlength=probabilities.shape[1]) / len(targets)

    def corrected(temperature: float) -> Floats:
        scaled = apply_temperature(probabilities, temperature)
        # For a given temperature, the best weights reproduce the class shares.
        return reweight(scaled, prior_weights(scaled, shares))

    temperature = _best_temperature(corrected, targets) or 1.0
    return temperature, prior_weights(apply_temperature(probabilities, temperature), shares)


def _best_temperature(corrected: Callable[[float], Floats], targets: Ints) -> float | None:
    once = np.ones((1, len(targets)))

    def loss(log_temperature: float) -> float:
        return float(log_loss(targets, corrected(float(np.exp(log_temperature))), once)[0])

    found = minimize_scalar(
        loss, bounds=(-_MAX_LOG_TEMPERATURE, _MAX_LOG_TEMPERATURE), method="bounded"
    )
    # Without errors the loss is 0 over a whole range, and any point of it may be returned.
    best = float(found.fun) < min(loss(-_MAX_LOG_TEMPERATURE), loss(_MAX_LOG_TEMPERATURE))
    return float(np.exp(found.x)) if best else None


def reliability(probabilities: Floats, targets: Ints) -> list[tuple[int, float, float]]:
    """Compute the points of a reliability diagram, with the bins of the calibration error.

    Args:
        probabilities: Probabilities, shape (N, K).
        targets: Class indices, shape (N,).

    Returns:
        For each non-empty bin the number of images, the mean probability and the observed
        frequency.
    """
    score, truth = confidence(targets, probabilities)
    place = bin_of(score)
    filled = [place == k for k in range(BINS) if np.any(place == k)]
    return [(int(b.sum()), float(score[b].mean()), float(truth[b].mean())) for b in filled]


def prior_weights(probabilities: Floats, shares: Floats) -> Floats:
    """Find class weights for which the mean probabilities equal the class shares.

    Args:
        probabilities: Probabilities of validation images, shape (N, K), N at least 1.
        shares: Class shares above 0 that sum to 1, shape (K,).

    Returns:
        Weights for `reweight`, shape (K,), float64.
    """
    weights = np.ones_like(shares)
    # Rows and columns are scaled alternately (Sinkhorn 1967).
    for _ in range(_MAX_SCALING_STEPS):
        mean = reweight(probabilities, weights).mean(axis=0)
        if np.abs(mean - shares).max() < _TOLERANCE:
            break
        weights = weights * shares / mean
    return weights


def reweight(probabilities: Floats, weights: Floats) -> Floats:
    """Multiply the probabilities of each class by its weight and normalize the rows.

    Args:
        probabilities: Probabilities, shape (N, K).
        weights: Class weights above 0, shape (K,).
    """
    weighted = probabilities.clip(_MIN_PROBABILITY, 1.0) * weights
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))


def estimate_prior(probabilities: Floats, prior: Floats) -> tuple[Floats, Floats]:
    """Estimate the class shares of unlabeled images by EM (Saerens et al. 2002).

    The estimate is valid if only the class shares differ: the images of a class look the same, and
    the probabilities are calibrated for `prior`.

    Args:
        probabilities: Probabilities of the images, shape (N, K), N at least 1.
        prior: Class shares for which the probabilities are calibrated, above 0, with sum 1, shape
            (K,).

    Returns:
        Estimated class shares, shape (K,), and corrected probabilities, shape (N, K).
    """
    shares, posterior = prior, probabilities
    for _ in range(_MAX_EM_STEPS):
        posterior = reweight(probabilities, shares / prior)
        before, shares = shares, posterior.mean(axis=0)
        if np.abs(before - shares).max() < _TOLERANCE:
            break
    return shares, posterior


def calibration_error_interval(gaps: Sequence[Resampled]) -> Interval | None:
    """Compute a 95 % interval of the expected calibration error.

    The method and its coverage are described at the top of this module.

    Args:
        gaps: Signed gap of each bin, as computed by `xray.stats.scores.calibration_gaps`, resampled
            together.

    Returns:
        An interval within [0, 1] that contains the error; None if there are fewer than two
        patients, a gap is undefined, or all resamples agree.
    """
    values = np.array([gap.value for gap in gaps])
    drawn = np.stack([gap.draws for gap in gaps], axis=1)
    if len(gaps[0].left_out) < MIN_PATIENTS or not (
        np.isfinite(values).all() and np.isfinite(drawn).all()
    ):
        return None
    total = float(np.abs(values).sum())
    totals = np.abs(drawn).sum(axis=1)
    if np.ptp(totals) <= _EQUAL:
        return None
    tail = (1 + LEVEL) / 2
    chance = np.quantile(np.abs(drawn - values).sum(axis=1), tail)
    low = 0.0 if total <= chance else 2 * total - float(np.quantile(totals, tail))
    high = total + float(ndtri(tail)) * float(totals.std())
    return Interval(min(max(low, 0.0), total), min(high, 1.0))
