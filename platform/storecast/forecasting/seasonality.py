"""The season of each series by classical decomposition, all series at once, where autocorrelation says there is one."""

from typing import Final

import numpy as np

from storecast.forecasting.compilation import compiled
from storecast.forecasting.panel import BoolArray, FloatArray

LEAST_SEASON: Final = 4
LEAST_FACTOR: Final = 0.01
NORMAL_95: Final = 1.6448536269514722


def seasonal_factors(units: FloatArray, season_length: int) -> tuple[FloatArray, BoolArray]:
    """The factor of each place in the season, (series, season_length), and which series' factors multiply.

    `units` is (series, days) with NaN before the first day; day 0 has place 0. A season is there where it is four days
    long or longer, seen twice, and its autocorrelation is significant at 90 % (Bartlett). Factors multiply where
    all days sold and none is below 0.01, and average 1; else they are added, average 0, and are 0 without a season.

    >>> week = np.array([1.0, 2.0, 3.0, 6.0])
    >>> factors, multiplies = seasonal_factors(np.stack([np.tile(week, 9), np.tile(week - 1, 9)]), 4)
    >>> factors.round(2), multiplies
    (array([[ 0.33,  0.67,  1.  ,  2.  ],
           [-2.  , -1.  ,  0.  ,  3.  ]]), array([ True, False]))
    """
    return _all_factors(np.ascontiguousarray(units), season_length)


def without_season(units: FloatArray, factors: FloatArray, multiplies: BoolArray) -> FloatArray:
    """Units with `seasonal_factors` taken out; same shape."""
    return _without_factors(np.ascontiguousarray(units), np.ascontiguousarray(factors), multiplies)


def with_season(forecast: FloatArray, factors: FloatArray, multiplies: BoolArray, days: int) -> FloatArray:
    """A forecast of the days after the first `days` ones with `seasonal_factors` put in; same shape.

    >>> with_season(np.array([[5.0, 5.0]]), np.array([[-1.0, 1.0, 0.0]]), np.array([False]), 4)
    array([[6., 5.]])
    """
    following = factors[:, (days + np.arange(forecast.shape[1])) % factors.shape[1]]
    return np.where(multiplies[:, None], forecast * following, forecast + following)


@compiled
def _without_factors(units: FloatArray, factors: FloatArray, multiplies: BoolArray) -> FloatArray:
    without = np.empty_like(units)
    season_length = factors.shape[1]
    for row in range(len(units)):
        for day in range(units.shape[1]):
            factor = factors[row, day % season_length]
            without[row, day] = units[row, day] / factor if multiplies[row] else units[row, day] - factor
    return without


@compiled
def _all_factors(units: FloatArray, season_length: int) -> tuple[FloatArray, BoolArray]:
    series, days = units.shape
    factors, multiplies = np.zeros((series, season_length)), np.zeros(series, dtype=np.bool_)
    for row in range(series):
        first = 0
        while first < days and np.isnan(units[row, first]):
            first += 1
        if _is_seasonal(units[row, first:], season_length):
            is_positive = units[row, first:].min() > 0
            _set_factors(units[row], first, is_positive, factors[row])
            if is_positive and factors[row].min() < LEAST_FACTOR:
                is_positive = False
                _set_factors(units[row], first, is_positive, factors[row])
            multiplies[row] = is_positive
    return factors, multiplies


@compiled
def _is_seasonal(units: FloatArray, season_length: int) -> bool:
    """Whether the autocorrelation of one series at the season's length is significant at 90 %."""
    days = len(units)
    if season_length < LEAST_SEASON or days < 2 * season_length or units.min() == units.max():
        return False
    mean, squares = units.mean(), 0.0
    for value in units:
        squares += (value - mean) ** 2
    total, correlation = 1.0, 0.0
    for lag in range(1, season_length + 1):
        products = 0.0
        for day in range(lag, days):
            products += (units[day] - mean) * (units[day - lag] - mean)
        correlation = products / squares
        total += 2 * correlation**2 if lag < season_length else 0.0
    return abs(correlation) / np.sqrt(total / days) > NORMAL_95


@compiled
def _set_factors(units: FloatArray, first: int, multiplies: bool, factors: FloatArray) -> None:
    """Set the factors of one series: the means over, or less, the means of a season around each day."""
    season_length = len(factors)
    half = season_length // 2
    total, number = np.zeros(season_length), np.zeros(season_length)
    for day in range(first + half, len(units) - half):
        around = 0.0 if season_length % 2 else -(units[day - half] + units[day + half]) / 2
        for near in range(day - half, day + half + 1):
            around += units[near]
        around /= season_length
        total[day % season_length] += units[day] / around if multiplies else units[day] - around
        number[day % season_length] += 1
    mean = 0.0
    for place in range(season_length):
        factors[place] = total[place] / number[place]
        mean += factors[place] / season_length
    for place in range(season_length):
        factors[place] = factors[place] / mean if multiplies else factors[place] - mean
