"""Forecasts at every level of the shop – product, category, seller, channel, total – in units and in money.

Means are the sums of the products' forecasts, so all levels add up. Quantiles do not: that two products both sell more
than their 95 % quantile is rarer than that one does, so the 95 % quantile of a sum is less than the sum of quantiles.
Each node's quantiles are therefore made of back-test errors of its own level, as `forecast_accuracy` judges them, and
a node of the same series as a finer one has the very same quantiles.

A product belongs whole to the seller that `silver.products` names: the listed one, else the one who sold it last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import Backtests
from storecast.forecasting.hierarchy import Hierarchy
from storecast.forecasting.intervals import fit_interval_scales
from storecast.forecasting.levels import Level, level_by
from storecast.forecasting.panel import UNKNOWN, FloatArray, IntArray, Panel, series_of

COLUMNS_OF_LEVEL: Final = dict(
    zip(c.SHOP_LEVELS, ((c.PRODUCT_ID,), (c.CATEGORY,), (c.SELLER_ID,), (c.CHANNEL,), ()), strict=True)
)


def shop_levels(keys: pd.MultiIndex, products: pd.DataFrame) -> Hierarchy:
    """The levels of `contracts.SHOP_LEVELS` over series (product_id, channel), from `silver.products`.

    What has no category or seller is of the category or seller `unknown`.
    """
    statics = keys.to_frame(index=False)
    attributes = products.drop_duplicates(c.PRODUCT_ID).set_index(c.PRODUCT_ID)
    for name in (c.CATEGORY, c.SELLER_ID):
        statics[name] = statics[c.PRODUCT_ID].map(attributes[name]).fillna(UNKNOWN).to_numpy()
    levels = (replace(level_by(statics, columns), name=name) for name, columns in COLUMNS_OF_LEVEL.items())
    return Hierarchy(tuple(levels), len(statics))


def backtest_levels(
    backtests: Backtests, champion: FloatArray, revenue: FloatArray, products: pd.DataFrame, training_id: str
) -> pd.DataFrame:
    """The champions' back-tests added up to the shop's levels: the rows of `ops.level_backtests`.

    `champion` is (origins, series, horizon), NaN where a series had not begun; `revenue` is what each series of the
    panel took on each day, (series, days). Forecast revenue is forecast units at the price known at the origin; what
    had none then counts as nothing. Days after the origin of series that had not begun are in neither, nor those on
    which a series ended sold out.
    """
    panel, horizon = backtests.panel, backtests.horizon
    hierarchy = shop_levels(panel.keys, products)
    tables = []
    for place, (origin, split) in enumerate(backtests.origins):
        has_begun = ~np.isnan(champion[place]).all(axis=1)
        prices = np.full(champion.shape[1:], np.nan)
        prices[panel.first_day < origin] = _prices_known(panel, origin, horizon)
        values = {
            c.MEAN_UNITS: champion[place],
            c.UNITS: backtests.actual[place],
            c.MEAN_REVENUE: champion[place] * prices,
            c.REVENUE: revenue[:, origin : origin + horizon],
        }
        is_counted = has_begun[:, None] & ~backtests.is_sold_out[place]
        sums = {name: hierarchy.sums(np.where(is_counted, part, 0.0)) for name, part in values.items()}
        is_node = hierarchy.sums(has_begun[:, None].astype(np.float64))[:, 0] > 0
        days = panel.times[origin : origin + horizon]
        table = _long(hierarchy, sums, panel.times[origin - 1], days).loc[np.repeat(is_node, horizon)]
        tables.append(table.assign(**{c.TRAINING_ID: training_id, c.SPLIT: split}))
    return pd.concat(tables, ignore_index=True)[list(c.LevelBacktests.to_schema().columns)]


def forecast_levels(
    demand_forecasts: pd.DataFrame,
    revenue_forecasts: pd.DataFrame,
    level_backtests: pd.DataFrame,
    products: pd.DataFrame,
) -> pd.DataFrame:
    """Add the series' forecasts of one origin up to the shop's levels: the rows of `gold.level_forecasts`.

    `demand_forecasts` and `revenue_forecasts` have the same series and days. Revenue counts what has a price;
    `unpriced_units` are the expected units that have none, and a node without any price has no revenue. Quantiles come
    of the selection origins of `level_backtests`. Raises `ValueError` where it holds none, or where the two tables
    differ in their rows, hold more than one origin or lack a day.
    """
    known = level_backtests[level_backtests[c.SPLIT] == c.SELECTION]
    if known.empty:
        raise ValueError("level_backtests has no selection origin of the champion's training: run the job `train`")
    units, keys, days = _series_by_day(demand_forecasts, (c.MEAN_UNITS, *c.UNIT_QUANTILES))
    money, other_keys, other_days = _series_by_day(revenue_forecasts, (c.MEAN_REVENUE, *c.REVENUE_QUANTILES))
    if not (keys.equals(other_keys) and days.equals(other_days)):
        raise ValueError("demand_forecasts and revenue_forecasts differ in their rows: forecast the revenue anew")
    hierarchy = shop_levels(keys, products)
    is_priced = ~np.isnan(money[c.MEAN_REVENUE])
    values = {
        c.SERIES: hierarchy.sums(np.ones_like(is_priced, np.float64)),
        c.MEAN_UNITS: hierarchy.sums(units[c.MEAN_UNITS]),
        c.UNPRICED_UNITS: hierarchy.sums(np.where(is_priced, 0.0, units[c.MEAN_UNITS])),
        c.MEAN_REVENUE: hierarchy.sums(money[c.MEAN_REVENUE]),
    }
    measures = (
        _Measure(c.UNITS, c.MEAN_UNITS, c.UNIT_QUANTILES, units),
        _Measure(c.REVENUE, c.MEAN_REVENUE, c.REVENUE_QUANTILES, money),
    )
    for measure in measures:
        values |= _quantiles(hierarchy, measure, values[measure.mean], known)
    has_price = hierarchy.sums(is_priced.astype(np.float64)) > 0
    for name in (c.MEAN_REVENUE, *c.REVENUE_QUANTILES):
        values[name] = np.where(has_price, values[name], np.nan)
    table = _long(hierarchy, values, pd.Timestamp(demand_forecasts[c.ORIGIN_DATE].iloc[0]), days)
    table[c.SERIES] = table[c.SERIES].astype(np.int64)
    return table[list(c.LevelForecasts.to_schema().columns)]


@dataclass(frozen=True, eq=False)
class _Measure:
    """Units or revenue: the columns of actuals, mean and quantiles, and the series' own forecasts."""

    actual: str
    mean: str
    quantiles: tuple[str, ...]
    of_series: Mapping[str, FloatArray]


def _quantiles(
    hierarchy: Hierarchy, measure: _Measure, mean: FloatArray, backtests: pd.DataFrame
) -> dict[str, FloatArray]:
    """The quantiles of each node, (nodes, days) by column: of its level's errors, or those of the same series."""
    own = np.nan_to_num(np.stack([measure.of_series[name] for name in measure.quantiles], axis=-1))
    found = {_members(np.array([series])): own[series] for series in range(hierarchy.series)}
    result = np.empty((*mean.shape, len(measure.quantiles)))
    for level in hierarchy.levels:
        rows = hierarchy.rows[level.name]
        quantiles = _level_quantiles(level, measure, mean[rows], backtests[backtests[c.LEVEL] == level.name])
        order = np.argsort(level.node, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(level.node, minlength=level.nodes))[:-1])
        result[rows] = [
            found.setdefault(_members(series), quantile) for series, quantile in zip(members, quantiles, strict=True)
        ]
    return {name: result[..., place] for place, name in enumerate(measure.quantiles)}


def _members(series: IntArray) -> bytes:
    return series.astype(np.int64).tobytes()


def _level_quantiles(level: Level, measure: _Measure, mean: FloatArray, backtests: pd.DataFrame) -> FloatArray:
    """Quantiles (nodes, days, quantiles) from the errors at earlier origins, all nodes of a level one class."""
    origin = pd.factorize(backtests[c.ORIGIN_DATE], sort=True)[0]
    text = backtests[c.NODE].astype("category").cat
    node = pd.Index(level.labels).get_indexer(text.categories)[text.codes.to_numpy()]
    kept, step = node >= 0, backtests[c.HORIZON_DAY].to_numpy() - 1
    shape = (int(origin.max(initial=0)) + 1, level.nodes, int(step.max(initial=0)) + 1)
    actual, forecast = np.full(shape, np.nan), np.full(shape, np.nan)
    place = (origin[kept], node[kept], step[kept])
    actual[place] = backtests[measure.actual].to_numpy(np.float64)[kept]
    forecast[place] = backtests[measure.mean].to_numpy(np.float64)[kept]
    classes = np.full(shape[:2], level.name, dtype=object)
    scales = fit_interval_scales(actual, forecast, classes)
    return scales.quantiles(mean, classes[-1], scales.series_spreads)


def _prices_known(panel: Panel, origin: int, horizon: int) -> FloatArray:
    """Prices of the days after an origin as they were known then, of the series that had begun."""
    drivers = {name: panel.drivers[name] for name in (c.UNIT_PRICE, c.IS_PRICE_PLANNED)}
    return replace(panel, drivers=drivers).until(origin, horizon).drivers[c.UNIT_PRICE][:, origin:]


def _series_by_day(
    table: pd.DataFrame, columns: tuple[str, ...]
) -> tuple[dict[str, FloatArray], pd.MultiIndex, pd.DatetimeIndex]:
    """Columns of a forecast table as (series, days), and the keys and days they stand for."""
    rows, keys = series_of(table)
    days, day = np.unique(table[c.DATE].to_numpy("datetime64[ns]"), return_inverse=True)
    place = rows * len(days) + day
    origins = table[c.ORIGIN_DATE].unique()
    if len(origins) != 1 or len(place) != len(keys) * len(days) or len(np.unique(place)) != len(place):
        raise ValueError(
            f"{len(place)} forecasts of {len(origins)} origin(s) for {len(keys)} series and {len(days)} days: "
            "pass those of one origin, one row a series and day"
        )
    order = np.argsort(place)
    values = {name: table[name].to_numpy(np.float64)[order].reshape(len(keys), len(days)) for name in columns}
    return values, keys, pd.DatetimeIndex(days, name=c.DATE)


def _long(
    hierarchy: Hierarchy, values: Mapping[str, FloatArray], origin: pd.Timestamp, days: pd.DatetimeIndex
) -> pd.DataFrame:
    """Values (nodes, days) by column as a long table; level and node are categories."""
    place = np.repeat(np.arange(len(hierarchy.levels)), [level.nodes for level in hierarchy.levels])
    labels = np.array([label for level in hierarchy.levels for label in level.labels], dtype=object)
    label, texts = pd.factorize(labels)
    return pd.DataFrame(
        {
            c.ORIGIN_DATE: np.full(len(label) * len(days), origin, "datetime64[ns]"),
            c.LEVEL: pd.Categorical.from_codes(np.repeat(place, len(days)), list(c.SHOP_LEVELS)),
            c.NODE: pd.Categorical.from_codes(np.repeat(label, len(days)), texts),
            c.DATE: np.tile(days.to_numpy("datetime64[ns]"), len(label)),
            c.HORIZON_DAY: np.tile((days - origin).days.to_numpy(np.int64), len(label)),
            **{name: part.reshape(-1) for name, part in values.items()},
        }
    )
