"""Empirical Bayes for counts: what a group says of one of its members, and how soon the member speaks for itself.

Units y over an exposure E are Poisson(λE), and λ differs between members as a gamma of mean m and shape κ. After y the
rate is a gamma again, of shape κ + y and mean (κ + y) / (κ / m + E): the group's mean weighs as κ units, so the more
units are seen, the more the member's own count (Gelman et al., Bayesian Data Analysis, 3rd ed., 2.6; Bühlmann and
Straub 1970). Seen from before, y is negative binomial with mean mE and shape κ.
"""

from typing import Final

import numpy as np
from scipy import special, stats

from storecast.forecasting.panel import FloatArray

SHAPES: Final = np.geomspace(0.2, 60.0, 58)
"""Shapes tried: from members that share next to nothing to such that hardly differ."""
LEAST_EXCESS: Final = 1e-6
FEWEST_UNITS: Final = 1e-9


def posterior(
    mean: FloatArray, shape: FloatArray, units: FloatArray, exposure: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and shape of each member's rate after `units` over `exposure`; the rate before has `mean` and `shape`.

    A group of mean 2 and shape 4, and 9 units in 3 days: (4 + 9) / (4 / 2 + 3) = 2.6.

    >>> rate, shape = posterior(np.array([2.0]), np.array([4.0]), np.array([9.0]), np.array([3.0]))
    >>> rate.tolist(), shape.tolist()
    ([2.6], [13.0])
    """
    return (shape + units) / (shape / np.maximum(mean, FEWEST_UNITS) + exposure), shape + units


def credible_ratio(
    units: FloatArray, expected: FloatArray, weight: float, prior: FloatArray | float = 1.0
) -> FloatArray:
    """Units over those expected, drawn to `prior` as `weight` expected units would.

    >>> credible_ratio(np.array([30.0, 0.0]), np.array([10.0, 0.0]), 10.0)
    array([2., 1.])
    """
    return np.asarray((weight * prior + units) / (weight + expected))


def fitted_shape(units: FloatArray, expected: FloatArray) -> float:
    """The shape κ under which units with these expectations are likeliest; members are many and independent.

    >>> rng = np.random.default_rng(0)
    >>> expected = np.full(4000, 12.0)
    >>> round(fitted_shape(rng.poisson(expected * rng.gamma(2.0, 1 / 2.0, 4000)).astype(float), expected), 1)
    2.0
    """
    mean = np.maximum(expected, FEWEST_UNITS)[:, None]
    likelihood = (
        special.gammaln(units[:, None] + SHAPES)
        - special.gammaln(SHAPES)
        + SHAPES * np.log(SHAPES / (SHAPES + mean))
        + units[:, None] * np.log(mean / (SHAPES + mean))
    )
    return float(SHAPES[np.argmax(likelihood.sum(axis=0))])


def count_quantiles(mean: FloatArray, variance: FloatArray, alphas: tuple[float, ...] | FloatArray) -> FloatArray:
    """Quantiles of negative binomial counts of some mean and variance, shape (*mean.shape, alphas), whole numbers.

    Where the variance is not above the mean, they are Poisson's. `alphas` may differ by mean, with a last axis more.

    >>> count_quantiles(np.array([4.0]), np.array([12.0]), (0.1, 0.5, 0.9))
    array([[0., 3., 9.]])
    """
    size, chance = _negative_binomial(mean, variance)
    found = stats.nbinom.ppf(np.asarray(alphas), size[..., None], chance[..., None])
    return np.asarray(np.maximum(found, 0.0))


def count_surprise(units: FloatArray, mean: FloatArray, variance: FloatArray) -> float:
    """Minus the log likelihood of whole units under negative binomials of some mean and variance."""
    return -float(stats.nbinom.logpmf(np.rint(units), *_negative_binomial(mean, variance)).sum())


def count_places(units: FloatArray, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Where units lie in negative binomials of some mean and variance, 0 to 1: the middle of their step.

    Even between 0 and 1 where the distributions are right (Czado, Gneiting and Held 2009, the non-randomised PIT).

    >>> count_places(np.array([0.0]), np.array([1.0]), np.array([2.0])).tolist()  # geometric: zero in half the cases
    [0.25]
    """
    size, chance = _negative_binomial(mean, variance)
    whole = np.rint(units)
    return np.asarray((stats.nbinom.cdf(whole - 1, size, chance) + stats.nbinom.cdf(whole, size, chance)) / 2)


def _negative_binomial(mean: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    positive = np.maximum(mean, FEWEST_UNITS)
    size = positive**2 / np.maximum(variance - positive, LEAST_EXCESS * positive)
    return size, size / (size + positive)
