"""How good quantiles are: M5's weighted scaled pinball loss, and three ways to say how often they cover.

Units are whole, and of a product few: a quantile often equals what was sold, so "how often was it at most the quantile"
has no value that a right forecast must show. Where a forecast says 0 with 80 %, its 50 % quantile is 0 and 80 % of days
are at most that. Therefore coverage is given as the share of days at most the quantile (`share_at_most`), as the
distance to what makes a number a quantile (`distance_to_quantile`), and by the probability integral transform for
counts (`transform_shares`), which a right forecast meets at each level and a wrong one does not.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from storecast.forecasting.panel import FloatArray

ALPHAS: Final = (0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995)
FINE: Final = 200
FINE_ALPHAS: Final = tuple((np.arange(FINE) + 0.5) / FINE)
"""Levels whose quantiles say a whole distribution: the share of them up to y is the probability of at most y."""


def scaled_pinball_losses(
    actual: FloatArray, quantiles: FloatArray, history: FloatArray, alphas: Sequence[float] = ALPHAS
) -> FloatArray:
    """The scaled pinball loss of each node, the mean over alphas: (nodes,).

    `actual` is (nodes, horizon), `quantiles` (nodes, horizon, alphas), `history` (nodes, days) up to the origin. The
    scale is the mean absolute step from day to day since the first sale; NaN where it is 0. Source: Makridakis et al.
    2022, The M5 uncertainty competition, equation (1).

    >>> history, actual = np.array([[0.0, 3.0, 1.0, 5.0]]), np.array([[4.0]])
    >>> scaled_pinball_losses(actual, np.array([[[2.0, 6.0]]]), history, (0.25, 0.75)).round(4)
    array([0.1667])
    """
    missed = actual[..., None] - quantiles
    levels = np.asarray(alphas)
    loss = np.maximum(levels * missed, (levels - 1) * missed).mean(axis=(1, 2))
    has_begun = np.maximum.accumulate(np.nan_to_num(history) > 0, axis=1)[:, :-1]
    steps = np.where(has_begun, np.abs(np.diff(np.nan_to_num(history), axis=1)), 0.0)
    scale = steps.sum(axis=1) / np.maximum(has_begun.sum(axis=1), 1)
    return loss / np.where(scale > 0, scale, np.nan)


def weighted_loss(losses: FloatArray, weights: FloatArray) -> float:
    """The mean of the losses of a level's nodes by their weights, nodes of weight 0 left out.

    >>> weighted_loss(np.array([0.2, 0.4, np.nan]), np.array([3.0, 1.0, 0.0]))
    0.25
    """
    counted = weights > 0
    return float(np.average(losses[counted], weights=weights[counted]))


def share_at_most(actual: FloatArray, quantiles: FloatArray) -> FloatArray:
    """The share of days on which no more was sold than each quantile: (alphas,).

    >>> share_at_most(np.array([0.0, 0.0, 1.0, 2.0]), np.array([[0.0, 1.0]] * 4))
    array([0.5 , 0.75])
    """
    return (actual[..., None] <= quantiles).reshape(-1, quantiles.shape[-1]).mean(axis=0)


def share_below(actual: FloatArray, quantiles: FloatArray) -> FloatArray:
    """The share of days on which less was sold than each quantile: (alphas,).

    >>> share_below(np.array([0.0, 0.0, 1.0, 2.0]), np.array([[0.0, 1.0]] * 4))
    array([0. , 0.5])
    """
    return (actual[..., None] < quantiles).reshape(-1, quantiles.shape[-1]).mean(axis=0)


def distance_to_quantile(below: FloatArray, at_most: FloatArray, alphas: Sequence[float] = ALPHAS) -> FloatArray:
    """How far each alpha is outside of [share of days below its quantile, share at most it]: (alphas,).

    >>> distance_to_quantile(np.array([0.0, 0.0]), np.array([0.5, 0.5]), (0.25, 0.75))
    array([0.  , 0.25])
    """
    return np.maximum(np.maximum(below - alphas, alphas - at_most), 0.0)


def transform_shares(actual: FloatArray, fine: FloatArray, alphas: Sequence[float] = ALPHAS) -> FloatArray:
    """The mean of the non-randomised probability integral transform at each alpha, alpha itself where all is right.

    `actual` holds whole units, `fine` the quantiles at `FINE_ALPHAS`, one axis more. With P the forecast's
    distribution function, a day on which y was sold counts as (alpha - P(y-1)) / (P(y) - P(y-1)), within 0 and 1: it is
    the chance that a uniform draw between P(y-1) and P(y) is at most alpha. Source: Czado, Gneiting and Held 2009,
    Predictive model assessment for count data, equation (2).

    >>> fine = np.where(np.array(FINE_ALPHAS) < 0.8, 0.0, 1.0)
    >>> transform_shares(np.array([0.0] * 8 + [1.0] * 2), np.tile(fine, (10, 1)), (0.25, 0.5, 0.9)).round(3)
    array([0.25, 0.5 , 0.9 ])
    """
    at_most = (fine <= actual[..., None]).mean(axis=-1)
    below = (fine < actual[..., None]).mean(axis=-1)
    width = np.maximum(at_most - below, 1.0 / FINE)  # between two quantiles: the step in which it lies
    start = np.where(at_most > below, below, below - 0.5 / FINE)
    return np.array([float(np.clip((alpha - start) / width, 0.0, 1.0).mean()) for alpha in alphas])


def misses_of_exact_quantiles(days: int, draws: int = 4000, seed: int = 0) -> FloatArray:
    """How far the worst of `ALPHAS` is from its share of so many days by chance alone, (draws,): days are independent.

    >>> np.percentile(100 * misses_of_exact_quantiles(168), (50, 95)).round(1)
    array([4.6, 8.3])
    """
    rng = np.random.default_rng(seed)
    at_most = np.searchsorted(np.asarray(ALPHAS), rng.random((draws, days)))
    shares = np.stack([(at_most <= place).mean(axis=1) for place in range(len(ALPHAS))], axis=1)
    return np.asarray(np.abs(shares - ALPHAS).max(axis=1))
