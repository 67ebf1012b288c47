"""A forecaster whose forecasts add up: one for the series, one for their sums, and the best of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np

from storecast.forecasting import contracts as c
from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.baselines import SeasonalNaive, SeasonalWindowAverage
from storecast.forecasting.demand_classes import demand_classes
from storecast.forecasting.hierarchy import Hierarchy, aggregate_panel, hierarchy_of
from storecast.forecasting.intervals import fit_interval_scales
from storecast.forecasting.panel import FloatArray, Panel, carried_forward
from storecast.forecasting.reconciliation import error_variances
from storecast.forecasting.reconciliation_choice import (
    BaseBacktests,
    Loss,
    Method,
    Reconciliation,
    choose_reconciliation,
    completed,
)

VALUE_DAYS: Final = 28
"""A node's weight is its revenue of so many of the latest days, its units where no price is known."""
FEWEST_DAYS: Final = 14


@dataclass(frozen=True, eq=False)
class CoherentForecast:
    """Mean units of all nodes, (nodes, horizon), which add up; and the back-tests its quantiles come of."""

    hierarchy: Hierarchy
    reconciliation: Reconciliation
    mean: FloatArray
    actual: FloatArray
    backtests: FloatArray
    classes: np.ndarray

    def quantiles(self, alphas: Sequence[float]) -> FloatArray:
        """Quantiles (nodes, horizon, alphas) around the coherent means: never negative, rising with alpha.

        Each node's come of the errors that coherent forecasts of its level had, at back-test origins; for a series,
        those of its demand class. They do not add up, as quantiles of sums are not sums of quantiles: only the means,
        and any path drawn for all series together, do.
        """
        rows = [*self.hierarchy.rows.values(), slice(self.hierarchy.aggregates, None)]
        return np.concatenate([self._level_quantiles(level, tuple(alphas)) for level in rows])

    def _level_quantiles(self, rows: slice, alphas: tuple[float, ...]) -> FloatArray:
        mean, actual, backtests = self.mean[rows], self.actual[:, rows], self.backtests[:, rows]
        if not actual.size or np.isnan(actual + backtests).all():
            return np.repeat(mean[:, :, None], len(alphas), axis=2)
        classes = self.classes[rows]
        scales = fit_interval_scales(actual, backtests, np.tile(classes, (len(actual), 1)), alphas)
        return scales.quantiles(mean, classes, scales.series_spreads)


class ReconciledForecaster(PanelForecaster):
    """Forecasts of a forecaster for the series, brought together with those of one for their sums.

    Base forecasts of all nodes are reconciled by `reconciliation_choice`: how, and whether at all, is chosen on the
    latest origins within the history, so that it takes more than the series' own forecasts only where that was better
    at each of them. Forecasts of series are never negative and add up to those of `predict_nodes`.

    Parameters
    ----------
    forecaster : forecasts the series.
    aggregate_forecaster : forecasts the sums, which have no drivers; None for the same.
    levels : groups of columns of the panel's `statics`, an empty one for the total; None for the total and each of
        the index levels that name a series.
    method : "auto" to choose, or one of "bottom_up", "ols", "wls_struct", "wls_var".
    origins : how many origins, one horizon apart, errors are taken from.

    >>> import pandas as pd
    >>> from storecast.forecasting.baselines import SeasonalNaive, SeasonalWindowAverage
    >>> from storecast.forecasting.reconciled_forecaster import ReconciledForecaster
    >>> index = pd.MultiIndex.from_product([["a", "b"], pd.period_range("2025-01-01", periods=28)])
    >>> y = pd.DataFrame({"units": [4.0] * 21 + [2.0] * 7 + [6.0] * 28}, index=index)
    >>> forecaster = ReconciledForecaster(SeasonalNaive(), SeasonalWindowAverage(), method="ols")
    >>> forecaster.fit(y).predict(fh=[1])["units"].round(6).tolist()
    [2.5, 6.5]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = (
        {"forecaster": SeasonalNaive()},
        {"forecaster": SeasonalNaive(), "aggregate_forecaster": SeasonalWindowAverage(), "method": "wls_struct"},
    )

    def __init__(
        self,
        forecaster: PanelForecaster,
        aggregate_forecaster: PanelForecaster | None = None,
        levels: Sequence[Sequence[str]] | None = None,
        method: Method | Literal["auto"] = "auto",
        origins: int = 3,
    ) -> None:
        self.forecaster = forecaster
        self.aggregate_forecaster = aggregate_forecaster
        self.levels = levels
        self.method = method
        self.origins = origins
        super().__init__()

    def predict_nodes(self, horizon: int) -> CoherentForecast:
        """Coherent forecasts of all nodes, of a panel that was fitted."""
        return self._coherent(self.panel_, horizon)

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        coherent = self._coherent(panel, horizon)
        return coherent.mean[coherent.hierarchy.aggregates :]

    def _forecast_panel_quantiles(self, panel: Panel, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        coherent = self._coherent(panel, horizon)
        return coherent.quantiles(alphas)[coherent.hierarchy.aggregates :]

    def _coherent(self, panel: Panel, horizon: int) -> CoherentForecast:
        levels = self.levels
        if levels is None:
            levels = [(), *([name] for name in panel.statics.columns if name in panel.keys.names)]
        hierarchy = hierarchy_of(panel.statics, levels)
        sums = aggregate_panel(panel, hierarchy)
        backtests = self._backtests(panel, sums, hierarchy, horizon)
        return coherent_forecast(panel, backtests, self._base(panel, sums, panel.days, horizon), self.method)

    def _backtests(self, panel: Panel, sums: Panel, hierarchy: Hierarchy, horizon: int) -> BaseBacktests:
        days = [panel.days - step * horizon for step in range(self.origins, 0, -1)]
        origins = [origin for origin in days if origin >= max(FEWEST_DAYS, 1)]
        shape = (len(origins), hierarchy.nodes, horizon)
        actual, base = np.full(shape, np.nan), np.full(shape, np.nan)
        for place, origin in enumerate(origins):
            base[place] = self._base(panel, sums, origin, horizon)
            units = np.where((panel.first_day < origin)[:, None], panel.units[:, origin : origin + horizon], np.nan)
            actual[place] = hierarchy.totals(units)
        return BaseBacktests(hierarchy, np.where(np.isnan(base), np.nan, actual), base)

    def _base(self, panel: Panel, sums: Panel, origin: int, horizon: int) -> FloatArray:
        """Base forecasts of all nodes from an origin, (nodes, horizon); NaN where a node had not begun."""
        of_sums = self.forecaster if self.aggregate_forecaster is None else self.aggregate_forecaster
        parts = []
        for forecaster, its_panel in ((of_sums, sums), (self.forecaster, panel)):
            part = np.full((len(its_panel.keys), horizon), np.nan)
            rows = its_panel.first_day < origin
            if rows.any():
                part[rows] = forecaster.clone().fit_panel(its_panel.until(origin, horizon)).predict_panel(horizon)
            parts.append(part)
        return np.concatenate(parts)


def coherent_forecast(
    panel: Panel, backtests: BaseBacktests, base: FloatArray, method: Method | Literal["auto"] = "auto"
) -> CoherentForecast:
    """Reconcile base forecasts of all nodes, (nodes, horizon), given their back-tests; the panel is that of the series.

    A series whose forecast is NaN gets 0, an aggregate without one the sum of its series. With `method="auto"` the way
    is chosen on the back-tests. Raises `ValueError` for a method that is not known.
    """
    hierarchy = backtests.hierarchy
    if method == "auto":
        reconciliation, _ = choose_reconciliation(backtests, Loss.of(hierarchy, panel.units, _value(panel)))
    elif method in ("bottom_up", "ols", "wls_struct", "wls_var"):
        reconciliation = Reconciliation(method, 1.0)
    else:
        raise ValueError(f"method is {method!r}: choose auto, bottom_up, ols, wls_struct or wls_var")
    variances = error_variances(hierarchy, backtests.actual, backtests.base, completed(hierarchy, base))
    series = reconciliation.series(hierarchy, base, variances)
    names = [np.full(level.nodes, f"level {level.name}", dtype=object) for level in hierarchy.levels]
    return CoherentForecast(
        hierarchy=hierarchy,
        reconciliation=reconciliation,
        mean=hierarchy.totals(series),
        actual=backtests.actual,
        backtests=backtests.coherent(reconciliation),
        classes=np.concatenate([*names, demand_classes(panel.units)]),
    )


def _value(panel: Panel) -> FloatArray:
    """What each series took in the latest days, (series,)."""
    recent = slice(max(panel.days - VALUE_DAYS, 0), panel.days)
    units = np.nan_to_num(panel.units[:, recent])
    if c.UNIT_PRICE not in panel.drivers:
        return units.sum(axis=1)
    prices = carried_forward(panel.drivers[c.UNIT_PRICE][:, : panel.days])[:, recent]
    return (units * np.nan_to_num(prices)).sum(axis=1) if np.isfinite(prices).any() else units.sum(axis=1)
