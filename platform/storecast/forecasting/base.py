"""The one interface of all forecasters: an sktime estimator outside, matrices inside.

sktime checks and converts a panel at each call (3 s for 5,000 series of 730 days, whatever the model). So the work
has a second entrance beside `fit` and `predict`: `fit_panel` and `predict_panel` take a `Panel` checked once and do
exactly the same.
"""

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster, ForecastingHorizon

from storecast.forecasting.frames import followed_by, panel_from_frames, with_future
from storecast.forecasting.intervals import residual_quantiles
from storecast.forecasting.panel import FloatArray, IntArray, Panel
from storecast.forecasting.times import step_of
from storecast.forecasting.unconstraining import unconstrained

RESIDUAL_ORIGINS = 3


class PanelForecaster(BaseForecaster):
    """Base of the forecasters of this room; a subclass writes `_forecast_panel`, a global one `_learn_panel` too.

    A local forecaster keeps the history when it is fitted and estimates its few parameters when it is asked to predict:
    one pass over the series, which is also how a whole back-test runs.
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": ["storecast"],
        "maintainers": ["storecast"],
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "scitype:y": "univariate",
        "capability:exogenous": False,
        "capability:insample": False,
        "capability:missing_values": False,
        "capability:unequal_length": False,  # series may begin on different days, but end together
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "requires-fh-in-fit": False,
        "capability:update": True,
    }
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}  # the panel is kept, a second copy is not needed

    panel_: Panel
    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {})

    def __init__(self) -> None:
        super().__init__()
        self._y, self._X = None, None  # sktime asks for them, whether it is to remember data or not

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:  # noqa: ARG003  (sktime's name)
        """Parameters for sktime's own checks of an estimator."""
        return [dict(parameters) for parameters in cls.test_params]

    # ------------------------------------------------------------------ the short way, for a panel checked once
    def fit_panel(self, panel: Panel) -> Self:
        """Fit on a panel as `fit` does, without sktime's checks; sold-out days count with their estimated demand."""
        self.panel_ = unconstrained(panel)
        self._learn_panel(self.panel_)
        return self

    def predict_panel(self, horizon: int) -> FloatArray:
        """Mean units, shape (series, horizon): never negative, NaN where the model has no answer."""
        return np.maximum(self._forecast_panel(self.panel_, horizon), 0.0)

    def predict_quantiles_panel(self, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        """Quantiles of each series' units, shape (series, horizon, alphas): never negative, rising with alpha."""
        quantiles = self._forecast_panel_quantiles(self.panel_, horizon, alphas)
        return np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=2)

    @property
    def memory_days(self) -> int | None:
        """So many of the latest days decide a forecast; None for all of them."""
        return None

    # ------------------------------------------------------------------ what a subclass writes
    def _learn_panel(self, panel: Panel) -> None:
        """Learn across series; nothing to do for a local forecaster."""

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        """Mean units, shape (series, horizon)."""
        raise NotImplementedError

    def _forecast_panel_quantiles(self, panel: Panel, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        """Quantiles from the forecaster's own errors at origins within the history."""
        mean = self._forecast_panel(panel, horizon)
        actuals, forecasts = self._errors_within(panel, horizon)
        return residual_quantiles(mean, actuals, forecasts, alphas)

    def _errors_within(self, panel: Panel, horizon: int) -> tuple[FloatArray, FloatArray]:
        """Actual units and forecasts, each (origins, series, horizon), at the latest origins that leave a history.

        Actual units are NaN on sold-out days.
        """
        origins = [panel.days - step * horizon for step in range(1, RESIDUAL_ORIGINS + 1)]
        origins = [origin for origin in origins if origin >= min(horizon, 14)]
        shape = (len(origins), len(panel.keys), horizon)
        actuals, forecasts, counted = np.full(shape, np.nan), np.full(shape, np.nan), panel.counted_units
        for number, origin in enumerate(origins):
            rows = np.flatnonzero(panel.first_day < origin)
            if len(rows):
                earlier = self.clone().fit_panel(panel.until(origin, horizon))
                forecasts[number, rows] = earlier.predict_panel(horizon)
                actuals[number, rows] = counted[rows, origin : origin + horizon]
        return actuals, forecasts

    # ------------------------------------------------------------------ sktime's side
    def _fit(self, y: pd.DataFrame, X: pd.DataFrame | None, fh: ForecastingHorizon | None) -> Self:  # noqa: ARG002, N803
        panel = panel_from_frames(y, X)
        self._name_frequency(panel.times)
        return self.fit_panel(panel)

    def _name_frequency(self, times: pd.Index) -> None:
        """Tell sktime the step of a panel's days: it infers it from a single series, but not from a panel's index."""
        if isinstance(times, pd.DatetimeIndex) and self.cutoff.freq is None:
            self._set_cutoff(pd.DatetimeIndex(self.cutoff, freq=step_of(times)))

    def _update(self, y: pd.DataFrame, X: pd.DataFrame | None = None, update_params: bool = True) -> Self:  # noqa: N803
        panel = followed_by(self.panel_, panel_from_frames(y, X))
        self._name_frequency(panel.times)
        if update_params:
            return self.fit_panel(panel)
        self.panel_ = unconstrained(panel)
        return self

    def _predict(self, fh: ForecastingHorizon, X: pd.DataFrame | None) -> pd.DataFrame:  # noqa: N803
        steps = self._steps(fh)
        self.panel_ = with_future(self.panel_, X)
        mean = self.predict_panel(int(steps.max()))[:, steps - 1]
        return pd.DataFrame(mean.reshape(-1, 1), index=self._index(fh), columns=self._columns())

    def _predict_quantiles(
        self,
        fh: ForecastingHorizon,
        X: pd.DataFrame | None,  # noqa: N803
        alpha: list[float],
    ) -> pd.DataFrame:
        steps = self._steps(fh)
        self.panel_ = with_future(self.panel_, X)
        order = np.argsort(alpha)
        rising = self.predict_quantiles_panel(int(steps.max()), tuple(np.asarray(alpha, float)[order].tolist()))
        quantiles = rising[:, steps - 1][:, :, np.argsort(order)]
        columns = pd.MultiIndex.from_product([self._columns(), alpha])
        return pd.DataFrame(quantiles.reshape(-1, len(alpha)), index=self._index(fh), columns=columns)

    def _steps(self, fh: ForecastingHorizon) -> IntArray:
        return np.asarray(fh.to_relative(self.cutoff).to_numpy(), dtype=np.int64)

    def _columns(self) -> list[Any]:
        return list(self._get_varnames())

    def _index(self, fh: ForecastingHorizon) -> pd.Index:
        times = fh.to_absolute_index(self.cutoff)
        if self._y_metadata["scitype"] == "Series":
            return times
        keys = self.panel_.keys
        codes = [np.repeat(np.asarray(level_codes), len(times)) for level_codes in keys.codes]
        return pd.MultiIndex(
            levels=[*keys.levels, times],
            codes=[*codes, np.tile(np.arange(len(times)), len(keys))],
            names=[*keys.names, self.panel_.times.name],
        )


class GlobalForecaster(PanelForecaster):
    """A forecaster that learns once over all series and is stored as text, to speak later of any of them or new ones.

    A subclass writes `_learn_panel`, `_forecast_panel`, `to_payload` and `from_payload`.
    """

    def to_payload(self) -> str:
        """The fitted model as text: no pickle, and the same text for the same model."""
        raise NotImplementedError

    @classmethod
    def from_payload(cls, payload: str) -> Self:
        """The forecaster that `to_payload` wrote; it predicts for the panel given to `with_panel`."""
        raise NotImplementedError

    def with_panel(self, panel: Panel) -> Self:
        """Let `predict_panel` speak of these series, learning nothing from them: one product or many, known or new."""
        self.panel_ = panel
        return self
