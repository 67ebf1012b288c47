"""Forecasters for intermittent demand, for all series at once: Croston, Syntetos–Boylan, Teunter–Syntetos–Babai."""

from typing import Any, ClassVar

import numpy as np

from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.panel import FloatArray, Panel

SBA_CORRECTION = 0.95


class Croston(PanelForecaster):
    """Demand size over demand interval, each smoothed exponentially (Croston 1972).

    Parameters ---------- smoothing : weight of the newest demand, 0.1 as in Croston. is_debiased : the
    Syntetos–Boylan approximation (2005): 0.95 × Croston at smoothing 0.1, in general 1 - smoothing / 2.

    >>> import pandas as pd
    >>> from storecast.forecasting.intermittent import Croston
    >>> y = pd.Series([0.0, 2.0, 0.0, 0.0, 6.0], index=pd.period_range("2025-01-01", periods=5))
    >>> Croston(smoothing=0.5).fit(y).predict(fh=[1, 2]).round(2).tolist()
    [1.6, 1.6]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"is_debiased": True})

    def __init__(self, smoothing: float = 0.1, is_debiased: bool = False) -> None:
        self.smoothing = smoothing
        self.is_debiased = is_debiased
        super().__init__()

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        size, interval = smoothed_size_and_interval(panel.units, self.smoothing)
        correction = 1 - self.smoothing / 2 if self.is_debiased else 1.0
        return np.repeat((correction * size / interval)[:, None], horizon, axis=1)


class TSB(PanelForecaster):
    """Demand size times probability of demand, smoothed each day, so that a dead product fades (Teunter et al. 2011).

    Parameters
    ----------
    size_smoothing : weight of the newest demand in its size.
    probability_smoothing : weight of the newest day in the probability of demand.

    >>> import pandas as pd
    >>> from storecast.forecasting.intermittent import TSB
    >>> y = pd.Series([0.0, 2.0, 0.0, 0.0, 6.0], index=pd.period_range("2025-01-01", periods=5))
    >>> TSB(size_smoothing=0.5, probability_smoothing=0.5).fit(y).predict(fh=[1, 2]).round(2).tolist()
    [2.25, 2.25]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"size_smoothing": 0.3})

    def __init__(self, size_smoothing: float = 0.1, probability_smoothing: float = 0.05) -> None:
        self.size_smoothing = size_smoothing
        self.probability_smoothing = probability_smoothing
        super().__init__()

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        size, _ = smoothed_size_and_interval(panel.units, self.size_smoothing)
        has_demand = np.where(np.isnan(panel.units), np.nan, panel.units > 0)
        probability = exponentially_smoothed(has_demand, self.probability_smoothing)
        return np.repeat((size * probability)[:, None], horizon, axis=1)


def exponentially_smoothed(values: FloatArray, smoothing: float) -> FloatArray:
    """The last level of each row by simple exponential smoothing, begun at the row's first value; NaN are skipped.

    >>> exponentially_smoothed(np.array([[np.nan, 2.0, 4.0, np.nan, 0.0]]), 0.5)
    array([1.5])
    """
    level = np.full(len(values), np.nan)
    for column in values.T:
        step = np.where(np.isnan(level), column, level + smoothing * (column - level))
        level = np.where(np.isnan(column), level, step)
    return level


def smoothed_size_and_interval(units: FloatArray, smoothing: float) -> tuple[FloatArray, FloatArray]:
    """Croston's smoothed demand size and interval of each series; size 0 and interval 1 where nothing was ever sold.

    `units` is (series, days) with NaN before the first day; the first interval counts from the day before it.

    >>> smoothed_size_and_interval(np.array([[0.0, 2.0, 0.0, 0.0, 6.0]]), 0.5)
    (array([4.]), array([2.5]))
    """
    series = len(units)
    size, interval, waited = np.full(series, np.nan), np.full(series, np.nan), np.zeros(series)
    for column in units.T:
        waited += ~np.isnan(column)
        sold = column > 0
        is_first = sold & np.isnan(size)
        size[is_first], interval[is_first] = column[is_first], waited[is_first]
        later = sold & ~is_first
        size[later] += smoothing * (column[later] - size[later])
        interval[later] += smoothing * (waited[later] - interval[later])
        waited[sold] = 0.0
    never = np.isnan(size)
    size[never], interval[never] = 0.0, 1.0
    return size, interval
