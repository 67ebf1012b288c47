"""AutoETS and AutoARIMA: statsforecast's models on each series, series shared out over processes."""

from typing import Any, ClassVar

import numpy as np
from statsforecast import models

from storecast.forecasting import ets_states
from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.fan_out import fan_out
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.states import StateForecaster

SERIES_A_CHUNK = 64
SHORTEST_DAYS = 6


class StatsForecaster(PanelForecaster):
    """Base of the forecasters that statsforecast fits: a subclass names the model."""

    season_length: int
    last_days: int
    n_jobs: int

    @property
    def memory_days(self) -> int:
        """The days that are used."""
        return self.last_days

    def _model(self, season_length: int) -> Any:
        """Statsforecast's model for a series with this season (1 where the series is too short for one)."""
        raise NotImplementedError

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        return self._forecast_all(panel, horizon, ())[:, :, 0]

    def _forecast_panel_quantiles(self, panel: Panel, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        return self._forecast_all(panel, horizon, alphas)[:, :, 1:]

    def _forecast_all(self, panel: Panel, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        """Mean and then each quantile, shape (series, horizon, 1 + alphas)."""
        calls = [(chunk, horizon, alphas) for chunk in self._chunks(panel.units)]
        parts = fan_out(self._forecast_chunk, calls, n_jobs=self.n_jobs)
        return np.concatenate([*parts, np.empty((0, horizon, 1 + len(alphas)))])

    def _chunks(self, units: FloatArray) -> list[FloatArray]:
        """The latest days of the series, so many series at a time."""
        recent = units[:, -self.last_days :]
        return [recent[start : start + SERIES_A_CHUNK] for start in range(0, len(recent), SERIES_A_CHUNK)]

    def _forecast_chunk(self, chunk: FloatArray, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        return np.stack([self._forecast_one(row[~np.isnan(row)], horizon, alphas) for row in chunk])

    def _forecast_one(self, history: FloatArray, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        constant = _constant(history)
        if constant is not None:
            return np.full((horizon, 1 + len(alphas)), constant)
        levels = sorted({_level(alpha) for alpha in alphas if alpha != 0.5})
        answer = self._model_for(history).forecast(y=history, h=horizon, level=levels or None)
        return np.stack([answer["mean"], *(answer[_name(alpha)] for alpha in alphas)], axis=1)

    def _model_for(self, history: FloatArray) -> Any:
        return self._model(self.season_length if len(history) >= 2 * self.season_length + 2 else 1)


def _constant(history: FloatArray) -> float | None:
    """What a series goes on at that has too little to estimate anything from, equal days or few; None for others."""
    if np.ptp(history) == 0:
        return float(history[-1])
    return float(history.mean()) if len(history) < SHORTEST_DAYS else None


def _level(alpha: float) -> float:
    """The level in per cent of the central interval that ends at quantile `alpha`."""
    return round(abs(1 - 2 * alpha) * 100, 6)


def _name(alpha: float) -> str:
    """Statsforecast's name of quantile `alpha`; its distribution is symmetric, so the median is the mean."""
    if alpha == 0.5:
        return "mean"
    return f"{'lo' if alpha < 0.5 else 'hi'}-{_level(alpha)}"


class AutoETS(StateForecaster, StatsForecaster):
    """Exponential smoothing, its form chosen by AICc (Hyndman et al. 2002), by statsforecast.

    Parameters
    ----------
    season_length : days in a season.
    model : error, trend and season as in R's `ets`; the default leaves out the trend, which days of demand
        seldom show and which costs eight times the time.
    last_days : only so many of the latest days are used.
    n_jobs : processes.

    >>> import pandas as pd
    >>> from storecast.forecasting.statistical import AutoETS
    >>> y = pd.Series([3.0, 5.0, 4.0, 6.0] * 4, index=pd.period_range("2025-01-01", periods=16))
    >>> AutoETS(season_length=2).fit(y).predict(fh=[1, 2]).round(1).tolist()
    [3.5, 5.5]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"season_length": 2})

    def __init__(self, season_length: int = 7, model: str = "ZNZ", last_days: int = 392, n_jobs: int = 1) -> None:
        self.season_length = season_length
        self.model = model
        self.last_days = last_days
        self.n_jobs = n_jobs
        super().__init__()

    def _model(self, season_length: int) -> Any:
        return models.AutoETS(season_length=season_length, model=self.model)

    def fit_states(self, units: FloatArray) -> FloatArray:
        """Form, weights, level, slope and season of each series, as `ets_states` orders them."""
        states = list(fan_out(self._fit_chunk, [(chunk,) for chunk in self._chunks(units)], n_jobs=self.n_jobs))
        return np.concatenate([*states, np.empty((0, ets_states.SEASON + self.season_length))])

    def _fit_chunk(self, chunk: FloatArray) -> FloatArray:
        return np.stack([self._fit_one(row[~np.isnan(row)]) for row in chunk])

    def _fit_one(self, history: FloatArray) -> FloatArray:
        constant = _constant(history)
        if constant is not None:
            return ets_states.constant_state(constant, self.season_length)
        return ets_states.state_of(self._model_for(history).fit(history).model_, self.season_length)

    def update_states(self, states: FloatArray, units: FloatArray) -> FloatArray:
        """Level, slope and season move; form and weights stay, and so does a series that had too little to estimate."""
        return ets_states.states_after(states, units)

    def forecast_states(self, states: FloatArray, horizon: int) -> FloatArray:
        """What statsforecast says of the same state."""
        return ets_states.forecasts_of_states(states, horizon)


class AutoARIMA(StatsForecaster):
    """Seasonal ARIMA, its orders chosen by approximate AICc (Hyndman and Khandakar 2008), by statsforecast.

    About 0.4 s a series. Same parameters as `AutoETS`.

    >>> import pandas as pd
    >>> from storecast.forecasting.statistical import AutoARIMA
    >>> y = pd.Series([10.0, 12.0] * 10, index=pd.period_range("2025-01-01", periods=20))
    >>> AutoARIMA(season_length=2).fit(y).predict(fh=[1, 2]).round(1).tolist()
    [10.0, 12.0]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"season_length": 2})

    def __init__(self, season_length: int = 7, last_days: int = 392, n_jobs: int = 1) -> None:
        self.season_length = season_length
        self.last_days = last_days
        self.n_jobs = n_jobs
        super().__init__()

    def _model(self, season_length: int) -> Any:
        return models.AutoARIMA(season_length=season_length, approximation=True)
