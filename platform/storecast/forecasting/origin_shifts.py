"""What a back-test of few origins cannot show: the days after one origin miss together, and the next origin anew.

A shop's total that is 10 % below its forecast on one day is so on most days of that month: of three origins of 28 days
there are three shifts, not 84. Errors are taken as z = m + b + e, b the shift of an origin, e the day's own (one-way
random effects). The pool of K origins varies around its centre by σe² + σb² (K - 1) / K; around the same centre an
origin that is not among them varies by σe² + σb² (K + 1) / K. What of it is known from K shifts alone has Student's
tails, of the degrees of freedom of Satterthwaite (1946). σb² is estimated by unweighted means (Searle, Casella and
McCulloch 1992, Variance Components, 3.6). Where many series are pooled their shifts even out, σb² is next to nothing,
and nothing is widened.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from storecast.forecasting.panel import FloatArray, IntArray


def widening(z: FloatArray, origin: IntArray, alphas: Sequence[float]) -> FloatArray:
    """How many times farther from the median each quantile lies for a new origin than in the pool: (alphas,), >= 1.

    `origin` numbers the origin of each error. From one origin alone nothing can be said, and nothing is widened.

    Four origins that are each right or wrong as a whole: sqrt(5 / 3) of the variances, times Student's 95 % quantile of
    three degrees of freedom over the normal one.

    >>> widening(np.repeat([-1.0, 1.0, -1.0, 1.0], 28), np.repeat([0, 1, 2, 3], 28), (0.5, 0.95)).round(4)
    array([1.    , 1.8471])
    >>> round(float(np.sqrt(5 / 3) * stats.t.ppf(0.95, 3) / stats.norm.ppf(0.95)), 4)
    1.8471
    """
    number = np.bincount(origin)
    sums = np.bincount(origin, z)[number > 0]
    number = number[number > 0]
    origins, freedom = len(number), len(z) - len(number)
    if origins < 2 or freedom < 1:
        return np.ones(len(alphas))
    means = sums / number
    own = max(float((z**2).sum() - (sums * means).sum()), 0.0) / freedom
    shift = max(float(means.var(ddof=1)) - own * float((1 / number).mean()), 0.0)
    pooled, new = own + shift * (origins - 1) / origins, shift * (origins + 1) / origins
    if pooled <= 0:
        return np.ones(len(alphas))
    total = own + new
    degrees = total**2 / (own**2 / freedom + new**2 / (origins - 1))
    normal = stats.norm.ppf(alphas)
    is_middle = np.abs(normal) < np.finfo(np.float64).eps
    tails = np.where(is_middle, 1.0, stats.t.ppf(alphas, degrees) / np.where(is_middle, 1.0, normal))
    return np.asarray(np.where(is_middle, 1.0, np.sqrt(total / pooled) * tails))
