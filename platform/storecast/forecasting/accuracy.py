"""How good the forecasts are, from origins that had no part in any choice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting import metrics
from storecast.forecasting.backtest import SEASON, Backtests
from storecast.forecasting.intervals import fit_interval_scales
from storecast.forecasting.levels import Level, levels_of
from storecast.forecasting.panel import BoolArray, FloatArray
from storecast.forecasting.registry import SEASONAL_NAIVE
from storecast.forecasting.selection import Policy, champion_backtests

SERIES_LEVEL: Final = c.LEVELS[0]
AGGREGATES: Final = ("category", "channel", "total")
"""Levels at which a MAPE says something."""
NINETY: Final = (c.QUANTILES.index(0.05), c.QUANTILES.index(0.95))
FIFTY: Final = (c.QUANTILES.index(0.25), c.QUANTILES.index(0.75))
TextArray = npt.NDArray[np.object_]


def forecast_accuracy(backtests: Backtests, policy: Policy) -> pd.DataFrame:
    """Score champions and single models on the evaluation origins: the rows of `ops.backtest_accuracy`.

    A model that ran for some series only is measured on those, and so is the seasonal naive its skill refers to.
    A day on which a series ended sold out is in no sum, neither its sales nor its forecast: demand was at least the
    sales, and how much is not known. What remains leans to the days that did not sell out, so where stock-outs are
    many, demand was a little above what is scored and a forecast without bias shows a small positive one.
    Quantiles are made from the errors of the selection origins alone, at each level from that level's own errors.
    RMSSE and MASE are means over nodes; pinball is the mean over seven quantiles, in units a node and day.
    """
    selection, evaluation = backtests.of_split(c.SELECTION), backtests.of_split(c.EVALUATION)
    models = {c.CHAMPION: (champion_backtests(selection, policy), champion_backtests(evaluation, policy))}
    models |= {model: (selection.forecasts[model], values) for model, values in evaluation.forecasts.items()}
    naive = evaluation.forecasts[SEASONAL_NAIVE]
    rows: list[dict[str, Any]] = []
    for level in levels_of(backtests.panel):
        scales = [_scales(level, evaluation, origin) for origin, _ in evaluation.origins]
        for model, (before, now) in models.items():
            scored = _at_level(level, evaluation, now, naive)
            quantiles = _quantiles(_at_level(level, selection, before, before), scored)
            rows += [{c.MODEL: model, **row} for row in _rows(level, evaluation, scored, quantiles, scales)]
    return pd.DataFrame(rows)[list(c.BacktestAccuracy.to_schema().columns)]


@dataclass(frozen=True, eq=False)
class _AtLevel:
    """Sums at the nodes of a level over the series that a model forecast: (origins, nodes, horizon), NaN where none.

    A series is in the sums of the days that it did not end sold out.
    """

    actual: FloatArray
    forecast: FloatArray
    naive: FloatArray
    classes: TextArray


def _at_level(level: Level, backtests: Backtests, forecast: FloatArray, naive: FloatArray) -> _AtLevel:
    is_counted = ~(np.isnan(forecast) | np.isnan(backtests.actual))
    is_node = level.total(is_counted.astype(np.float64)) > 0

    def total(values: FloatArray) -> FloatArray:
        return np.where(is_node, level.total(np.where(is_counted, values, 0.0)), np.nan)

    one_class = np.full(is_node.shape[:2], level.name, dtype=object)
    classes = backtests.classes if level.name == SERIES_LEVEL else one_class
    return _AtLevel(total(backtests.actual), total(forecast), total(naive), classes)


def _quantiles(before: _AtLevel, now: _AtLevel) -> FloatArray | None:
    """Quantiles at the evaluation origins from the errors at the selection origins; None where there were none."""
    if np.isnan(before.forecast).all():
        return None
    scales = fit_interval_scales(before.actual, before.forecast, before.classes)
    return np.stack(
        [
            scales.quantiles(np.nan_to_num(mean), classes, scales.series_spreads)
            for mean, classes in zip(now.forecast, now.classes, strict=True)
        ]
    )


def _scales(level: Level, backtests: Backtests, origin: int) -> tuple[FloatArray, FloatArray]:
    history = level.total(backtests.panel.units[:, :origin])
    return metrics.naive_scales(history, 1, power=2), metrics.naive_scales(history, SEASON)


def _rows(
    level: Level,
    backtests: Backtests,
    scored: _AtLevel,
    quantiles: FloatArray | None,
    scales: list[tuple[FloatArray, FloatArray]],
) -> Iterator[dict[str, Any]]:
    """One row an origin, and at the level of series one more a demand class."""
    times = backtests.panel.times
    for place, (origin, split) in enumerate(backtests.origins):
        nodes = ~np.isnan(scored.forecast[place]).all(axis=1)
        classes = scored.classes[place].astype(str)
        groups = {c.ALL_CLASSES: nodes}
        if level.name == SERIES_LEVEL:
            groups |= {name: nodes & (classes == name) for name in np.unique(classes[nodes])}
        for name, group in groups.items():
            if group.any():
                yield {
                    c.ORIGIN_DATE: times[origin - 1],
                    c.LEVEL: level.name,
                    c.DEMAND_CLASS: name,
                    c.SPLIT: split,
                    c.WINDOW_START_DATE: times[origin],
                    c.WINDOW_END_DATE: times[origin + backtests.horizon - 1],
                    c.HORIZON_DAYS: backtests.horizon,
                    c.SERIES: int(group.sum()),
                    **_measures(level, scored, quantiles, scales, place, group),
                }


def _measures(
    level: Level,
    scored: _AtLevel,
    quantiles: FloatArray | None,
    scales: list[tuple[FloatArray, FloatArray]],
    place: int,
    group: BoolArray,
) -> dict[str, float]:
    actual, forecast = scored.actual[place, group], scored.forecast[place, group]
    rmsse_scales, mase_scales = scales[place]
    error = metrics.wape(actual, forecast)
    measures = {
        c.WAPE: error,
        c.BIAS: metrics.bias(actual, forecast),
        c.RMSSE: metrics.mean_of_known(metrics.rmsse(actual, forecast, rmsse_scales[group])),
        c.MASE: metrics.mean_of_known(metrics.mase(actual, forecast, mase_scales[group])),
        c.MAPE: metrics.mape(actual, forecast) if level.name in AGGREGATES else float("nan"),
        c.SKILL: metrics.skill(error, metrics.wape(actual, scored.naive[place, group])),
        c.SKILL_ERROR: metrics.skill_error(actual, forecast, scored.naive[place, group]),
    }
    return measures | _interval_measures(actual, None if quantiles is None else quantiles[place, group])


def _interval_measures(actual: FloatArray, quantiles: FloatArray | None) -> dict[str, float]:
    if quantiles is None:
        return dict.fromkeys((c.PINBALL, c.COVERAGE_90, c.COVERAGE_50), float("nan"))
    losses = [metrics.pinball(actual, quantiles[..., place], alpha) for place, alpha in enumerate(c.QUANTILES)]
    return {
        c.PINBALL: float(np.mean(losses)),
        c.COVERAGE_90: metrics.coverage(actual, quantiles[..., NINETY[0]], quantiles[..., NINETY[1]]),
        c.COVERAGE_50: metrics.coverage(actual, quantiles[..., FIFTY[0]], quantiles[..., FIFTY[1]]),
    }
