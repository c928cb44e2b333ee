"""Whether probabilities can be taken at their word, and what mends them."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from xray.stats.scores import BINS, Floats, Ints, bin_of, confidence, log_loss

_SMALLEST = 1e-300
_BOUND = 4.0
_MOST_STEPS = 10_000
_FEWER_STEPS = 200
_CLOSE = 1e-10


def apply_temperature(probabilities: Floats, temperature: float) -> Floats:
    """Divide the logits by a temperature: above 1 softens the probabilities, below 1 sharpens them.

    The logits are known up to a constant as ln p, and softmax does not see a constant.

    Args:
        probabilities: (N, K), rows summing to 1.
        temperature: Above 0.
    """
    mended: Floats = softmax(np.log(probabilities.clip(_SMALLEST, 1.0)) / temperature, axis=1)
    return mended


def fit_temperature(probabilities: Floats, targets: Ints) -> float | None:
    """Find the temperature of the least log loss (Guo et al. 2017), from e^-4 to e^4.

    Args:
        probabilities: (N, K) of validation images, N at least 1.
        targets: (N,).

    Returns:
        None where no temperature is best: without a mistake sharper is always better, and where
        the network is worse than chance softer is.
    """
    return _best_temperature(lambda t: apply_temperature(probabilities, t), targets)


def fit_bias_corrected(probabilities: Floats, targets: Ints) -> tuple[float, Floats]:
    """Find a temperature and class weights of the least log loss (Alexandari et al. 2020).

    A weighted loss teaches a network balanced classes, which a temperature alone does not undo.

    Args:
        probabilities: (N, K) of validation images, with every class among them.
        targets: (N,).

    Returns:
        The temperature, 1.0 where none is best, and (K,) weights for `reweighted` after it.
    """
    shares = np.bincount(targets, minlength=probabilities.shape[1]) / len(targets)

    def mended(temperature: float) -> Floats:
        scaled = apply_temperature(probabilities, temperature)
        # Of one temperature, the weights of the least loss give the classes their shares.
        return reweighted(scaled, prior_weights(scaled, shares))

    temperature = _best_temperature(mended, targets) or 1.0
    return temperature, prior_weights(apply_temperature(probabilities, temperature), shares)


def _best_temperature(mended: Callable[[float], Floats], targets: Ints) -> float | None:
    once = np.ones((1, len(targets)))

    def loss(log_temperature: float) -> float:
        return float(log_loss(targets, mended(float(np.exp(log_temperature))), once)[0])

    found = minimize_scalar(loss, bounds=(-_BOUND, _BOUND), method="bounded")
    # Without a mistake the loss is 0 over a whole stretch, and any of it may be found.
    best = float(found.fun) < min(loss(-_BOUND), loss(_BOUND))
    return float(np.exp(found.x)) if best else None


def reliability(probabilities: Floats, targets: Ints) -> list[tuple[int, float, float]]:
    """Compare predicted and observed shares bin by bin, binned as for the calibration error.

    Args:
        probabilities: (N, K).
        targets: (N,).

    Returns:
        Of each bin that holds images: their number, mean probability, and share that came true.
    """
    score, truth = confidence(targets, probabilities)
    place = bin_of(score)
    filled = [place == k for k in range(BINS) if np.any(place == k)]
    return [(int(b.sum()), float(score[b].mean()), float(truth[b].mean())) for b in filled]


def prior_weights(probabilities: Floats, shares: Floats) -> Floats:
    """Find class weights under which the mean probabilities are the shares of the classes.

    Args:
        probabilities: (N, K) of validation images, N at least 1.
        shares: (K,) of the classes among them, above 0, summing to 1.

    Returns:
        (K,) float64: probabilities are multiplied by it, and normalised again.
    """
    weights = np.ones_like(shares)
    # Rows and columns are scaled in turn (Sinkhorn 1967).
    for _ in range(_FEWER_STEPS):
        mean = reweighted(probabilities, weights).mean(axis=0)
        if np.abs(mean - shares).max() < _CLOSE:
            break
        weights = weights * shares / mean
    return weights


def reweighted(probabilities: Floats, weights: Floats) -> Floats:
    """Multiply the probabilities of each class by its weight, and normalise them again.

    Args:
        probabilities: (N, K).
        weights: (K,), above 0.
    """
    weighted = probabilities.clip(_SMALLEST, 1.0) * weights
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))


def shifted_prior(probabilities: Floats, prior: Floats) -> tuple[Floats, Floats]:
    """Estimate the class shares of unlabelled images by EM (Saerens et al. 2002).

    It holds where only the shares differ: the images of a class look as they did before, and the
    probabilities are calibrated for `prior`.

    Args:
        probabilities: (N, K) of the images, N at least 1.
        prior: (K,) class shares that the probabilities are calibrated for, above 0, summing to 1.

    Returns:
        (K,) estimated shares, and (N, K) probabilities corrected for them.
    """
    shares, posterior = prior, probabilities
    for _ in range(_MOST_STEPS):
        posterior = reweighted(probabilities, shares / prior)
        before, shares = shares, posterior.mean(axis=0)
        if np.abs(before - shares).max() < _CLOSE:
            break
    return shares, posterior
