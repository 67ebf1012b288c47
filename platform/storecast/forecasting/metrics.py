"""Measures of forecasts, on plain arrays; all are means or ratios, so none depends on how many series there are.

Days whose actual units are NaN do not count: what was wanted on a day that ended sold out is not known.
"""

import numpy as np
import numpy.typing as npt

from storecast.forecasting.panel import FloatArray

ArrayLike = npt.ArrayLike


def wape(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Weighted absolute percentage error: sum of |actual - forecast| over sum of |actual|; NaN where nothing was sold.

    >>> wape([10, 0, 30], [8, 2, 26])
    0.2
    """
    actual, forecast = _pair(actual, forecast)
    return _over(np.abs(actual - forecast).sum(), np.abs(actual).sum())


def bias(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Sum of (forecast - actual) over sum of |actual|: positive is too much.

    >>> bias([10, 0, 30], [8, 2, 26])
    -0.1
    """
    actual, forecast = _pair(actual, forecast)
    return _over((forecast - actual).sum(), np.abs(actual).sum())


def mape(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Mean of |actual - forecast| / actual over the days with sales; NaN where there are none.

    It says something at aggregates only: at a product most days sell nothing.

    >>> mape([10, 0, 40], [8, 2, 38])
    0.125
    """
    actual, forecast = _pair(actual, forecast)
    sold = actual > 0
    return float(np.mean(np.abs(actual[sold] - forecast[sold]) / actual[sold])) if sold.any() else float("nan")


def naive_scales(history: FloatArray, season_length: int = 1, power: int = 1) -> FloatArray:
    """In-sample error of the (seasonal) naive forecast of each row after its first sale, the scale of MASE and RMSSE.

    `history` is (series, days), NaN or zero before the first sale; the mean of |y_t - y_(t-m)|^power, its square root
    for power 2. NaN where a row has no pair of days, or the error is 0 (a constant row: nothing to scale by).
    Source: Hyndman and Koehler 2006 (MASE); Makridakis et al. 2022 (RMSSE, from the first sale on).

    >>> naive_scales(np.array([[np.nan, 0.0, 2.0, 4.0, 1.0]]))
    array([2.5])
    """
    begun = np.maximum.accumulate(np.nan_to_num(history) > 0, axis=1)
    steps = np.abs(history[:, season_length:] - history[:, :-season_length]) ** power
    counted = begun[:, :-season_length]
    number = counted.sum(axis=1)
    mean = np.where(counted, steps, 0.0).sum(axis=1) / np.maximum(number, 1)
    return np.where((number > 0) & (mean > 0), mean ** (1 / power), np.nan)


def rmsse(actual: FloatArray, forecast: FloatArray, scales: FloatArray) -> FloatArray:
    """Root mean squared scaled error of each row: RMSE over the horizon, over `naive_scales(history, 1, power=2)`.

    >>> rmsse(np.array([[1.0, 3.0]]), np.array([[2.0, 2.0]]), np.array([2.0]))
    array([0.5])
    """
    return np.sqrt(_mean_of_days((actual - forecast) ** 2)) / scales


def mase(actual: FloatArray, forecast: FloatArray, scales: FloatArray) -> FloatArray:
    """Mean absolute scaled error of each row: MAE over the horizon, over `naive_scales(history, season_length)`.

    >>> mase(np.array([[1.0, 3.0]]), np.array([[2.0, 5.0]]), np.array([2.0]))
    array([0.75])
    """
    return _mean_of_days(np.abs(actual - forecast)) / scales


def pinball(actual: ArrayLike, quantile: ArrayLike, alpha: float) -> float:
    """Mean quantile loss in units: alpha × what was missed above the quantile, (1 - alpha) × what was missed below.

    >>> pinball([10, 0], [8, 2], 0.75)
    1.0
    """
    actual, quantile = _pair(actual, quantile)
    missed = actual - quantile
    return float(np.mean(np.maximum(alpha * missed, (alpha - 1) * missed)))


def coverage(actual: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> float:
    """Share of days within [lower, upper], both ends included.

    Where more than 5 % of days sell nothing, the 5 % quantile is 0 and cannot be undercut: a right interval then covers
    more than its nominal share.

    >>> coverage([1, 2, 3, 9], [0, 0, 0, 0], [2, 2, 2, 2])
    0.5
    """
    units, lowest = _pair(actual, lower)
    _, highest = _pair(actual, upper)
    return float(np.mean((lowest <= units) & (units <= highest)))


def skill_error(actual: FloatArray, forecast: FloatArray, reference: FloatArray, days: int = 7) -> float:
    """Standard error of `skill` by WAPE, from the sums of blocks of `days`: within a week errors hang together.

    Arrays are (rows, days), NaN where a day does not count. That of a ratio of sums (Cochran 1977, Sampling Techniques,
    6.4); NaN where there are fewer than two blocks, or the reference missed nothing.

    >>> sold = np.zeros((1, 28))
    >>> reference, even, odd = sold + 2, sold + 3, sold + np.repeat([2.0, 4.0, 2.0, 4.0], 7)
    >>> skill_error(sold, even, reference), round(skill_error(sold, odd, reference), 4)
    (0.0, 0.2887)
    """
    blocks = np.array_split(np.arange(actual.shape[1]), max(actual.shape[1] // days, 1))
    missed, expected = (
        np.array([np.nansum(np.abs(said - actual)[:, block]) for block in blocks]) for said in (forecast, reference)
    )
    whole, number = float(expected.sum()), len(blocks)
    if number < 2 or whole == 0:
        return float("nan")
    rest = missed - expected * (missed.sum() / whole)
    return float(np.sqrt(number / (number - 1) * np.square(rest).sum()) / whole)


def skill(error: float, reference_error: float) -> float:
    """How much smaller an error is than the reference's: 1 perfect, 0 no better, negative worse.

    >>> skill(0.6, 1.2)
    0.5
    """
    return 1.0 - _over(error, reference_error)


def _over(numerator: float, denominator: float) -> float:
    return float(numerator) / float(denominator) if denominator else float("nan")


def _pair(actual: ArrayLike, forecast: ArrayLike) -> tuple[FloatArray, FloatArray]:
    first, second = np.asarray(actual, dtype=np.float64), np.asarray(forecast, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"actual has shape {first.shape} and forecast {second.shape}: pass arrays of one shape")
    is_counted = ~np.isnan(first)
    return (first, second) if is_counted.all() else (first[is_counted], second[is_counted])


def _mean_of_days(values: FloatArray) -> FloatArray:
    """The mean of each row's days that are not NaN; NaN where all are."""
    days = (~np.isnan(values)).sum(axis=-1)
    return np.where(days > 0, np.nansum(values, axis=-1) / np.maximum(days, 1), np.nan)


def mean_of_known(values: FloatArray) -> float:
    """The mean of those that are not NaN; NaN where all are.

    >>> mean_of_known(np.array([1.0, np.nan, 3.0]))
    2.0
    """
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
