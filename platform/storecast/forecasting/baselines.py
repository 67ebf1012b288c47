"""Closed-form forecasters: whole panels at once, no loop over series in Python."""

from typing import Any, ClassVar

import numpy as np

from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.compilation import compiled
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.states import StateForecaster


class SeasonalNaive(PanelForecaster):
    """The same day of the last season again.

    Where a series is shorter than a season, the days it lacks are its mean.

    Parameters
    ----------
    season_length : days in a season, 7 for the week.

    >>> import pandas as pd
    >>> from storecast.forecasting.baselines import SeasonalNaive
    >>> y = pd.Series([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0], index=pd.period_range("2025-01-01", periods=9))
    >>> SeasonalNaive().fit(y).predict(fh=[1, 2]).round(2).tolist()
    [4.0, 1.0]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"season_length": 3})

    def __init__(self, season_length: int = 7) -> None:
        self.season_length = season_length
        super().__init__()

    @property
    def memory_days(self) -> int:
        """One season."""
        return self.season_length

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        return seasonal_average(panel.units, self.season_length, 1, horizon)


class HistoricAverage(StateForecaster):
    """The mean of all days of a series.

    >>> import pandas as pd
    >>> from storecast.forecasting.baselines import HistoricAverage
    >>> y = pd.Series([3.0, 1.0, 4.0, 1.0], index=pd.period_range("2025-01-01", periods=4))
    >>> HistoricAverage().fit(y).predict(fh=[1, 2]).tolist()
    [2.25, 2.25]
    """

    def fit_states(self, units: FloatArray) -> FloatArray:
        """Units and days of each series."""
        return self.update_states(np.zeros((len(units), 2)), units)

    def update_states(self, states: FloatArray, units: FloatArray) -> FloatArray:
        """Added day by day: a sum whose order does not depend on how many days come at once."""
        return _totals_after(np.ascontiguousarray(units), states)

    def forecast_states(self, states: FloatArray, horizon: int) -> FloatArray:
        """Units a day."""
        return np.repeat((states[:, 0] / states[:, 1])[:, None], horizon, axis=1)


class SeasonalWindowAverage(PanelForecaster):
    """The mean of the same weekday over the last few weeks.

    Parameters
    ----------
    season_length : days in a season, 7 for the week.
    seasons : how many of the latest seasons are averaged.

    >>> import pandas as pd
    >>> from storecast.forecasting.baselines import SeasonalWindowAverage
    >>> y = pd.Series([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0], index=pd.period_range("2025-01-01", periods=9))
    >>> SeasonalWindowAverage(season_length=2, seasons=3).fit(y).predict(fh=[1, 2]).round(2).tolist()
    [5.33, 4.0]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"season_length": 3, "seasons": 2})

    def __init__(self, season_length: int = 7, seasons: int = 4) -> None:
        self.season_length = season_length
        self.seasons = seasons
        super().__init__()

    @property
    def memory_days(self) -> int:
        """The seasons that are averaged."""
        return self.season_length * self.seasons

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        return seasonal_average(panel.units, self.season_length, self.seasons, horizon)


def seasonal_average(units: FloatArray, season_length: int, seasons: int, horizon: int) -> FloatArray:
    """Mean of the days of equal place in the last `seasons` seasons, repeated over `horizon` days.

    `units` has shape (series, days) with NaN before a series' first day; days of which a series has seen none get the
    mean of what it has seen in the window. Result: (series, horizon).

    >>> seasonal_average(np.array([[1.0, 2.0, 3.0, 4.0], [np.nan, np.nan, np.nan, 6.0]]), 2, 2, 3)
    array([[2., 3., 2.],
           [6., 6., 6.]])
    """
    width = season_length * seasons
    window = units[:, -width:]
    if window.shape[1] < width:
        window = np.hstack([np.full((len(units), width - window.shape[1]), np.nan), window])
    seen = ~np.isnan(window)
    values = np.where(seen, window, 0.0)
    by_place = (len(units), seasons, season_length)
    count = seen.reshape(by_place).sum(axis=1)
    total = values.reshape(by_place).sum(axis=1)
    overall = values.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    season = np.where(count > 0, total / np.maximum(count, 1), overall[:, None])
    return season[:, np.arange(horizon) % season_length]


@compiled
def _totals_after(units: FloatArray, states: FloatArray) -> FloatArray:
    totals = states.copy()
    for row in range(len(units)):
        for value in units[row]:
            if not np.isnan(value):
                totals[row, 0] += value
                totals[row, 1] += 1.0
    return totals
