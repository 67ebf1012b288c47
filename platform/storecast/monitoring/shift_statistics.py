"""How unlikely a shift is by chance, and how many of thousands may be called one: tails, weights, false discoveries."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]

FALSE_ALARMS_PER_SERIES_YEAR: Final = 1 / 1_000
"""What may be spent on false alarms, over all daily looks."""

HIGHEST_LEVEL: Final = 0.05
FEWEST_EXPECTED: Final = 5
"""Rows that a cell of a table is to expect for its chi-square to follow its distribution (Cochran 1954)."""
DRAWN_TABLES: Final = 9_999
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


def numbers_p_value(reference: pd.Series, current: pd.Series) -> float:
    """The probability that two samples of numbers lie as far apart by chance; nulls are left out.

    The smaller of two p-values, doubled: of Mann and Whitney's test, which sees that one sample lies higher, also where
    most values are the same, and of Kolmogorov and Smirnov's, which sees any other shape. Both look at ranks alone: an
    outlier counts as one row.

    >>> calm = pd.Series([1.0, 2.0, 3.0, 4.0] * 50)
    >>> numbers_p_value(calm, calm), numbers_p_value(calm, calm + 1) < 1e-9
    (1.0, True)
    """
    first, second = (sample.dropna().to_numpy(np.float64) for sample in (reference, current))
    if np.ptp(np.concatenate([first, second])) == 0:
        return 1.0
    ranks = stats.mannwhitneyu(first, second).pvalue
    shapes = stats.ks_2samp(first, second, method="asymp").pvalue
    return float(min(2 * min(ranks, shapes), 1.0))


def categories_p_value(reference: pd.Series, current: pd.Series) -> float:
    """The probability that the shares of categories in two samples differ as much by chance; nulls are left out.

    Pearson's chi-square of the table of both samples, which both have chance in them. Where a cell expects few rows it
    is Fisher's exact test for two categories, and for more the chi-square against tables drawn with the same margins.

    >>> few, many = pd.Series(["a"] * 90 + ["b"] * 10), pd.Series(["a"] * 60 + ["b"] * 40)
    >>> categories_p_value(few, few), categories_p_value(few, many) < 1e-5
    (1.0, True)
    """
    counts = [sample.value_counts() for sample in (reference, current)]
    table = pd.concat(counts, axis=1).fillna(0).to_numpy(np.int64)
    if len(table) < 2:
        return 1.0
    if stats.contingency.expected_freq(table).min() >= FEWEST_EXPECTED:
        return float(stats.chi2_contingency(table, correction=False).pvalue)
    if len(table) == 2:
        return float(stats.fisher_exact(table).pvalue)
    drawn = stats.MonteCarloMethod(n_resamples=DRAWN_TABLES, rng=np.random.default_rng(0))
    return float(stats.chi2_contingency(table, correction=False, method=drawn).pvalue)


def common_threshold(p_values: Sequence[float], level: float = HIGHEST_LEVEL) -> float:
    """The highest p-value that is a discovery among these: Benjamini and Hochberg's false discovery rate of `level`.

    Where nothing is one, it is what the smallest would have had to be.

    >>> common_threshold([0.001, 0.02, 0.9, 0.5]), common_threshold([0.2, 0.3])
    (0.025, 0.025)
    """
    steps = level * np.arange(1, len(p_values) + 1) / max(len(p_values), 1)
    passed = np.flatnonzero(np.sort(np.asarray(p_values, np.float64)) <= steps)
    return float(steps[passed[-1] if len(passed) else 0]) if len(p_values) else level
