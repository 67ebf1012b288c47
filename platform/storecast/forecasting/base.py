"""The one interface of all forecasters: an sktime estimator outside, matrices inside.

sktime checks and converts a panel at each call (3 s for 5,000 series of 730 days, whatever the model). So the work has a
second entrance beside `fit` and `predict`: `fit_panel` and `predict_panel` take a `Panel` checked once and do exactly
the same.
"""

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster, ForecastingHorizon

from storecast.forecasting.intervals import residual_quantiles
from storecast.forecasting.panel import FloatArray, Panel

RESIDUAL_ORIGINS = 3


class PanelForecaster(BaseForecaster):
    """Base of the forecasters of this room; a subclass writes `_forecast_panel`, a global one `_learn_panel` too.

    A local forecaster keeps the history when it is fitted and estimates its few parameters when it is asked to predict:
    one pass over the series, which is also how a whole back-test runs.
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": ["storecast"],
        "maintainers": ["storecast"],
        "y_inner_mtype": ["pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd-multiindex", "pd_multiindex_hier"],
        "scitype:y": "univariate",
        "capability:exogenous": False,
        "capability:insample": False,
        "capability:missing_values": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "requires-fh-in-fit": False,
    }

    panel_: Panel
    panel_index_: pd.MultiIndex

    # ------------------------------------------------------------------ the short way, for a panel checked once
    def fit_panel(self, panel: Panel) -> Self:
        """Fit on a panel as `fit` does, without sktime's checks."""
        self.panel_ = panel
        self._learn_panel(panel)
        return self

    def predict_panel(self, horizon: int) -> FloatArray:
        """Mean units of each series, shape (series, horizon): finite or NaN where the model has no answer, never negative."""
        return np.maximum(self._forecast_panel(self.panel_, horizon), 0.0)

    def predict_quantiles_panel(self, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        """Quantiles of each series' units, shape (series, horizon, alphas): never negative, rising with alpha."""
        quantiles = self._forecast_panel_quantiles(self.panel_, horizon, alphas)
        return np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=2)

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
        """Actual units and forecasts, each (origins, series, horizon), at the latest origins that leave a history."""
        origins = [panel.days - step * horizon for step in range(1, RESIDUAL_ORIGINS + 1)]
        origins = [origin for origin in origins if origin >= min(horizon, 14)]
        shape = (len(origins), len(panel.keys), horizon)
        actuals, forecasts = np.full(shape, np.nan), np.full(shape, np.nan)
        for number, origin in enumerate(origins):
            rows = np.flatnonzero(panel.first_day < origin)
            if len(rows):
                earlier = self.clone().fit_panel(panel.until(origin, horizon))
                forecasts[number, rows] = earlier.predict_panel(horizon)
                actuals[number, rows] = panel.units[rows, origin : origin + horizon]
        return actuals, forecasts

    # ------------------------------------------------------------------ sktime's side
    def _fit(self, y: pd.DataFrame, X: pd.DataFrame | None, fh: ForecastingHorizon | None) -> Self:  # noqa: N803
        self.fit_panel(_panel_of(y, X))
        return self

    def _predict(self, fh: ForecastingHorizon, X: pd.DataFrame | None) -> pd.DataFrame:  # noqa: N803
        steps = self._steps(fh)
        self.panel_ = _with_future(self.panel_, X)
        return self._frame(self.predict_panel(int(steps.max()))[:, steps - 1], fh)
