"""AutoETS, Theta and AutoARIMA: statsforecast's models on each series, series shared out over processes."""

from typing import Any, ClassVar

import numpy as np
from joblib import Parallel, delayed
from statsforecast import models

from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.panel import FloatArray, Panel

SERIES_A_CHUNK = 64


class StatsForecaster(PanelForecaster):
    """Base of the forecasters that statsforecast fits: a subclass names the model."""

    season_length: int
    last_days: int
    n_jobs: int

    def _model(self, season_length: int) -> Any:
        """Statsforecast's model for a series with this season (1 where the series is too short for one)."""
        raise NotImplementedError

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        return self._forecast_all(panel, horizon, ())[:, :, 0]

    def _forecast_panel_quantiles(self, panel: Panel, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        return self._forecast_all(panel, horizon, alphas)[:, :, 1:]

    def _forecast_all(self, panel: Panel, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        """Mean and then each quantile, shape (series, horizon, 1 + alphas)."""
        recent = panel.units[:, -self.last_days :]
        chunks = [recent[start : start + SERIES_A_CHUNK] for start in range(0, len(recent), SERIES_A_CHUNK)]
        jobs = self.n_jobs if len(chunks) > 1 else 1
        parts = Parallel(n_jobs=jobs)(delayed(self._forecast_chunk)(chunk, horizon, alphas) for chunk in chunks)
        return np.concatenate([*parts, np.empty((0, horizon, 1 + len(alphas)))])

    def _forecast_chunk(self, chunk: FloatArray, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        return np.stack([self._forecast_one(row[~np.isnan(row)], horizon, alphas) for row in chunk])

    def _forecast_one(self, history: FloatArray, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        if np.ptp(history) == 0:  # the models' variance is zero: nothing to estimate
            return np.full((horizon, 1 + len(alphas)), history[-1])
        season = self.season_length if len(history) >= 2 * self.season_length + 2 else 1
        if len(history) < 2 * 2 + 2:
            return np.full((horizon, 1 + len(alphas)), history.mean())
        levels = sorted({_level(alpha) for alpha in alphas if alpha != 0.5})
        answer = self._model(season).forecast(y=history, h=horizon, level=levels or None)
        return np.stack([answer["mean"], *(answer[_name(alpha)] for alpha in alphas)], axis=1)


def _level(alpha: float) -> float:
    """The level in per cent of the central interval that ends at quantile `alpha`."""
    return round(abs(1 - 2 * alpha) * 100, 6)


def _name(alpha: float) -> str:
    """Statsforecast's name of quantile `alpha`; its distribution is symmetric, so the median is the mean."""
    if alpha == 0.5:
        return "mean"
    return f"{'lo' if alpha < 0.5 else 'hi'}-{_level(alpha)}"


class AutoETS(StatsForecaster):
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


class Theta(StatsForecaster):
    """The dynamic optimised theta model (Fiorucci et al. 2016), by statsforecast; same parameters as `AutoETS`.

    >>> import pandas as pd
    >>> from storecast.forecasting.statistical import Theta
    >>> y = pd.Series([3.0, 5.0, 4.0, 6.0] * 4, index=pd.period_range("2025-01-01", periods=16))
    >>> Theta(season_length=2).fit(y).predict(fh=[1, 2]).round(1).tolist()
    [4.6, 4.6]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"season_length": 2})

    def __init__(self, season_length: int = 7, last_days: int = 392, n_jobs: int = 1) -> None:
        self.season_length = season_length
        self.last_days = last_days
        self.n_jobs = n_jobs
        super().__init__()

    def _model(self, season_length: int) -> Any:
        return models.DynamicOptimizedTheta(season_length=season_length)


class AutoTheta(StatsForecaster):
    """The best of four theta models by in-sample error, by statsforecast; same parameters as `AutoETS`.

    >>> import pandas as pd
    >>> from storecast.forecasting.statistical import AutoTheta
    >>> y = pd.Series([3.0, 5.0, 4.0, 6.0] * 4, index=pd.period_range("2025-01-01", periods=16))
    >>> AutoTheta(season_length=2).fit(y).predict(fh=[1, 2]).round(1).tolist()
    [4.8, 4.8]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"season_length": 2})

    def __init__(self, season_length: int = 7, last_days: int = 392, n_jobs: int = 1) -> None:
        self.season_length = season_length
        self.last_days = last_days
        self.n_jobs = n_jobs
        super().__init__()

    def _model(self, season_length: int) -> Any:
        return models.AutoTheta(season_length=season_length)


class AutoARIMA(StatsForecaster):
    """Seasonal ARIMA, its orders chosen by approximate AICc (Hyndman and Khandakar 2008), by statsforecast.

    About 0.4 s a series. Same parameters as `AutoETS`.

    >>> import pandas as pd
    >>> from storecast.forecasting.statistical import AutoARIMA
    >>> y = pd.Series([3.0, 5.0, 4.0, 6.0] * 4, index=pd.period_range("2025-01-01", periods=16))
    >>> AutoARIMA(season_length=2).fit(y).predict(fh=[1, 2]).round(1).tolist()
    [4.6, 6.6]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"season_length": 2})

    def __init__(self, season_length: int = 7, last_days: int = 392, n_jobs: int = 1) -> None:
        self.season_length = season_length
        self.last_days = last_days
        self.n_jobs = n_jobs
        super().__init__()

    def _model(self, season_length: int) -> Any:
        return models.AutoARIMA(season_length=season_length, approximation=True)
