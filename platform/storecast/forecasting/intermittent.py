"""Forecasters for intermittent demand, all series at once: Croston, Syntetos–Boylan, TSB, ADIDA and IMAPA."""

from typing import Any, ClassVar, Final

import numpy as np

from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.compilation import compiled
from storecast.forecasting.panel import FloatArray, IntArray, Panel
from storecast.forecasting.smoothing import best_smoothing, exponentially_smoothed
from storecast.forecasting.states import StateForecaster

AGGREGATE_SMOOTHING: Final = (0.1, 0.3)
"""Bounds of the smoothing of aggregated demand, as statsforecast has them."""


class Croston(StateForecaster):
    """Demand size over demand interval, each smoothed exponentially (Croston 1972).

    Parameters
    ----------
    smoothing : weight of the newest demand, 0.1 as in Croston.
    is_debiased : the Syntetos–Boylan approximation (2005): 0.95 × Croston at smoothing 0.1, in general
        1 - smoothing / 2.

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

    def fit_states(self, units: FloatArray) -> FloatArray:
        """Size, interval and days since the last demand of each series."""
        return smoothed_demand(units, self.smoothing)

    def update_states(self, states: FloatArray, units: FloatArray) -> FloatArray:
        """As if the days had been there when it was fitted."""
        return smoothed_demand(units, self.smoothing, states)

    def forecast_states(self, states: FloatArray, horizon: int) -> FloatArray:
        """Size over interval on each day."""
        correction = 1 - self.smoothing / 2 if self.is_debiased else 1.0
        return np.repeat((correction * states[:, 0] / states[:, 1])[:, None], horizon, axis=1)


class TSB(StateForecaster):
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

    def fit_states(self, units: FloatArray) -> FloatArray:
        """Size, interval and days since the last demand, then the probability of demand, of each series."""
        probability = smoothed_probability(units, self.probability_smoothing)
        return np.column_stack([smoothed_demand(units, self.size_smoothing), probability])

    def update_states(self, states: FloatArray, units: FloatArray) -> FloatArray:
        """As if the days had been there when it was fitted."""
        probability = smoothed_probability(units, self.probability_smoothing, states[:, 3])
        return np.column_stack([smoothed_demand(units, self.size_smoothing, states[:, :3]), probability])

    def forecast_states(self, states: FloatArray, horizon: int) -> FloatArray:
        """Size times probability on each day."""
        return np.repeat((states[:, 0] * states[:, 3])[:, None], horizon, axis=1)


class ADIDA(PanelForecaster):
    """Demand summed over buckets of the mean demand interval, smoothed, spread evenly (Nikolopoulos et al. 2011).

    Buckets are counted back from the last day, days before the first whole bucket are left out. The weight of the
    smoothing is each series' best between 0.1 and 0.3. Zero for a series that never sold.

    >>> import pandas as pd
    >>> from storecast.forecasting.intermittent import ADIDA
    >>> y = pd.Series([0.0, 2.0, 0.0, 6.0, 0.0, 6.0], index=pd.period_range("2025-01-01", periods=6))
    >>> ADIDA().fit(y).predict(fh=[1, 2]).round(2).tolist()
    [2.02, 2.02]
    """

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        days = np.rint(mean_interval(panel.units)).astype(np.int64)
        return np.repeat(bucket_forecasts(panel.units, days)[:, None], horizon, axis=1)


class IMAPA(PanelForecaster):
    """The mean of ADIDA's forecasts over buckets of 1, 2, … days up to the mean interval (Boylan, Syntetos 2021).

    >>> import pandas as pd
    >>> from storecast.forecasting.intermittent import IMAPA
    >>> y = pd.Series([0.0, 2.0, 0.0, 6.0, 0.0, 6.0], index=pd.period_range("2025-01-01", periods=6))
    >>> IMAPA().fit(y).predict(fh=[1, 2]).round(2).tolist()
    [2.42, 2.42]
    """

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        longest = np.rint(mean_interval(panel.units)).astype(np.int64)
        total = np.zeros(len(longest))
        for days in range(1, int(longest.max(initial=0)) + 1):
            rows = np.flatnonzero(longest >= days)
            total[rows] += bucket_forecasts(panel.units[rows], np.full(len(rows), days))
        return np.repeat((total / np.maximum(longest, 1))[:, None], horizon, axis=1)


def smoothed_demand(units: FloatArray, smoothing: float, states: FloatArray | None = None) -> FloatArray:
    """Croston's smoothed size and interval of each series and the days since its last demand: (series, 3).

    `units` is (series, days) with NaN before the first day; the first interval counts from the day before it. Size 0
    and interval 1 where nothing was ever sold. `states` are those after the days before.

    >>> smoothed_demand(np.array([[0.0, 2.0, 0.0, 0.0, 6.0]]), 0.5)
    array([[4. , 2.5, 0. ]])
    """
    blank = np.tile([0.0, 1.0, 0.0], (len(units), 1))
    return _demand_after(np.ascontiguousarray(units), smoothing, blank if states is None else states)


def smoothed_probability(units: FloatArray, smoothing: float, states: FloatArray | None = None) -> FloatArray:
    """The exponentially smoothed share of days with demand of each series, begun at its first day or at `states`.

    >>> smoothed_probability(np.array([[0.0, 2.0, 0.0, 0.0, 6.0]]), 0.5)
    array([0.5625])
    """
    begun = np.full(len(units), np.nan) if states is None else states
    return _probability_after(np.ascontiguousarray(units), smoothing, begun)


def mean_interval(units: FloatArray) -> FloatArray:
    """Mean days from one demand to the next of each series, the first from the day before it; 0 without demand.

    >>> mean_interval(np.array([[np.nan, 0.0, 2.0, 0.0, 0.0, 6.0, 0.0], [np.nan] * 6 + [0.0]]))
    array([2.5, 0. ])
    """
    sold = units > 0
    sales = sold.sum(axis=1)
    last = units.shape[1] - np.argmax(sold[:, ::-1], axis=1) - np.isnan(units).sum(axis=1)
    return np.where(sales > 0, last / np.maximum(sales, 1), 0.0)


def bucket_forecasts(units: FloatArray, days: IntArray) -> FloatArray:
    """Units a day by smoothing the sums of buckets of so many days, one length a series; 0 where it is 0."""
    sums = bucket_sums(units, days)
    levels = exponentially_smoothed(sums, best_smoothing(sums, *AGGREGATE_SMOOTHING))
    return np.where(days > 0, levels / np.maximum(days, 1), 0.0)


def bucket_sums(units: FloatArray, days: IntArray) -> FloatArray:
    """Sums of each series over whole buckets of `days` days back from the last, NaN before the first whole one.

    A series whose buckets have 0 days has none.

    >>> bucket_sums(np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [np.nan, 2.0, 3.0, 4.0, 5.0]]), np.array([2, 1]))
    array([[nan, nan,  5.,  9.],
           [ 2.,  3.,  4.,  5.]])
    """
    begun = units.shape[1] - np.isnan(units).sum(axis=1)
    buckets = np.where(days > 0, begun // np.maximum(days, 1), 0)
    return _bucket_sums(np.ascontiguousarray(units), days, int(buckets.max(initial=0)))


@compiled
def _demand_after(units: FloatArray, smoothing: float, states: FloatArray) -> FloatArray:
    rest = 1.0 - smoothing
    after = states.copy()
    for row in range(len(units)):
        size, interval, waited = states[row, 0], states[row, 1], states[row, 2]
        for value in units[row]:
            if np.isnan(value):
                continue
            waited += 1.0
            if value > 0:
                if size == 0.0:
                    size, interval = value, waited
                size, interval = smoothing * value + rest * size, smoothing * waited + rest * interval
                waited = 0.0
        after[row, 0], after[row, 1], after[row, 2] = size, interval, waited
    return after


@compiled
def _probability_after(units: FloatArray, smoothing: float, states: FloatArray) -> FloatArray:
    rest = 1.0 - smoothing
    after = states.copy()
    for row in range(len(units)):
        probability = states[row]
        for value in units[row]:
            if np.isnan(value):
                continue
            has_demand = 1.0 if value > 0 else 0.0
            if np.isnan(probability):
                probability = has_demand
            probability = smoothing * has_demand + rest * probability
        after[row] = probability
    return after


@compiled
def _bucket_sums(units: FloatArray, days: IntArray, buckets: int) -> FloatArray:
    sums = np.full((len(units), buckets), np.nan)
    last = units.shape[1]
    for row in range(len(units)):
        bucket, end = buckets - 1 if days[row] > 0 else -1, last
        while bucket >= 0 and end >= days[row] and not np.isnan(units[row, end - days[row]]):
            total = 0.0
            for day in range(end - days[row], end):
                total += units[row, day]
            sums[row, bucket] = total
            bucket, end = bucket - 1, end - days[row]
    return sums
