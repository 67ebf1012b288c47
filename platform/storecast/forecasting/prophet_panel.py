"""Meta's Prophet on each series, series shared out over processes."""

import logging

import numpy as np
import pandas as pd

from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.fan_out import fan_out
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.times import extended_times

MINIMUM_DAYS = 14


class Prophet(PanelForecaster):
    """Prophet with a weekly season, and a yearly one from two years of history on: about half a second a series.

    Parameters
    ----------
    changepoint_prior_scale : how readily the trend bends.
    last_days : only so many of the latest days are used.
    seed : seed of the optimiser.
    n_jobs : processes.
    """

    def __init__(
        self, changepoint_prior_scale: float = 0.05, last_days: int = 800, seed: int = 0, n_jobs: int = 1
    ) -> None:
        self.changepoint_prior_scale = changepoint_prior_scale
        self.last_days = last_days
        self.seed = seed
        self.n_jobs = n_jobs
        super().__init__()

    @property
    def memory_days(self) -> int:
        """The days that are used."""
        return self.last_days

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        times = extended_times(panel.times, horizon)
        if not isinstance(times, pd.DatetimeIndex):
            times = pd.date_range("2000-01-01", periods=len(times))
        recent, start = panel.units[:, -self.last_days :], max(panel.days - self.last_days, 0)
        calls = [(row, times[start:], horizon, self.changepoint_prior_scale, self.seed) for row in recent]
        rows = fan_out(_forecast_one, calls, n_jobs=self.n_jobs)
        return np.array(list(rows)).reshape(len(recent), horizon)


def _forecast_one(
    history: FloatArray, times: pd.DatetimeIndex, horizon: int, changepoint_prior_scale: float, seed: int
) -> FloatArray:
    """Prophet's mean of one series, `times` naming its days and the days ahead."""
    from prophet import Prophet as MetaProphet  # noqa: PLC0415  (a second to import, and few ask for it)

    seen = ~np.isnan(history)
    if seen.sum() < MINIMUM_DAYS or np.ptp(history[seen]) == 0:
        return np.full(horizon, history[seen].mean())
    for name in ("prophet", "cmdstanpy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    model = MetaProphet(
        weekly_seasonality=True,
        yearly_seasonality=bool(seen.sum() >= 2 * 365),
        daily_seasonality=False,
        changepoint_prior_scale=changepoint_prior_scale,
        uncertainty_samples=0,
    )
    frame = pd.DataFrame({"ds": times[: len(history)][seen], "y": history[seen]})
    model.fit(frame, seed=seed)
    return model.predict(pd.DataFrame({"ds": times[len(history) :]}))["yhat"].to_numpy(np.float64)
