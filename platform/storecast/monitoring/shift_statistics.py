"""How unlikely a shift is by chance, and how many of thousands may be called one: tails, weights, false discoveries."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]

FALSE_ALARMS_PER_SERIES_YEAR: Final = 1 / 1_000
"""What may be spent on false alarms, over all daily looks."""

HIGHEST_LEVEL: Final = 0.05
DAYS_A_YEAR: Final = 365.25


def two_sided(statistic: Any, degrees: Any, looks: int) -> FloatArray:
    """The probability of a statistic as far from 0 under Student's t, in the best of so many looks (Bonferroni).

    A contrast over its own root mean square follows t; few degrees of freedom give it the tails of real demand.

    >>> round(float(two_sided(2.2281388519649385, 10, 1)), 9)  # the 97.5 % point of t(10)
    0.05
    """
    tails = 2 * stats.t.sf(np.abs(np.asarray(statistic, np.float64)), np.asarray(degrees, np.float64))
    return np.minimum(looks * np.asarray(tails, np.float64), 1.0)


def from_log(statistic: Any, looks: int) -> FloatArray:
    """The probability whose negative logarithm the statistic is, in the best of so many looks (Bonferroni).

    >>> from_log([0.0, 10.0], 2).round(7).tolist()
    [1.0, 9.08e-05]
    """
    return np.minimum(looks * np.exp(-np.asarray(statistic, np.float64)), 1.0)


def false_discovery_level(series: int) -> float:
    """The false discovery rate at which a daily report of so many series spends the yearly budget, 5 % at most.

    With nothing to find, the procedure rejects anything on a share `level` of the days: 365 looks a year cost
    365 × level alarms, of which there may be `series` × 1/1,000.

    >>> round(365.25 * 1_000 * false_discovery_level(500) / 500, 9)  # alarms in 1,000 series-years
    1.0
    >>> false_discovery_level(30_490)
    0.05
    """
    return min(HIGHEST_LEVEL, series * FALSE_ALARMS_PER_SERIES_YEAR / DAYS_A_YEAR)


def weighted_q_values(p_values: Any, weights: Any) -> FloatArray:
    """The false discovery rate at which each test is rejected: Benjamini and Hochberg's, of p over weight.

    Weights have any sum and are brought to a mean of 1, which keeps the rate (Genovese, Roeder and Wasserman,
    Biometrika 93, 2006). Raises `ValueError` for a weight that is not positive.

    >>> weighted_q_values([0.01, 0.02, 0.5], [1, 1, 1]).tolist()
    [0.03, 0.03, 0.5]
    """
    p, weight = np.asarray(p_values, np.float64), np.asarray(weights, np.float64)
    if not (weight > 0).all():
        message = f"weights holds {weight.min()}: every test needs a positive one, leave out what is not to be tested"
        raise ValueError(message)
    if not p.size:
        return p
    weighted = p * weight.mean() / weight
    order = np.argsort(weighted, kind="stable")
    stepped = weighted[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty_like(p)
    found[order] = np.minimum.accumulate(stepped[::-1])[::-1]
    return np.minimum(found, 1.0)
