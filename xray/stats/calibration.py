"""Whether probabilities can be taken at their word, and what mends them."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from xray.stats.scores import BINS, Floats, Ints, bin_of, confidence, log_loss

_SMALLEST = 1e-300
_BOUND = 4.0
_MOST_STEPS = 10_000


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
    once = np.ones((1, len(targets)))

    def loss(log_temperature: float) -> float:
        mended = apply_temperature(probabilities, float(np.exp(log_temperature)))
        return float(log_loss(targets, mended, once)[0])

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
        weighted = probabilities * (shares / prior)
        posterior = weighted / weighted.sum(axis=1, keepdims=True)
        moved = posterior.mean(axis=0)
        done = np.abs(moved - shares).max() < 1e-10  # noqa: PLR2004
        shares = moved
        if done:
            break
    return shares, posterior
