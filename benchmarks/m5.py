"""M5: the boosted ensemble by default settings against LightGBM through mlforecast, official WRMSSE, four origins."""

from dataclasses import replace
from typing import Any, Final

import click
import numpy as np
import pandas as pd

from benchmarks.m5_data import HORIZON, LEVEL_COLUMNS, OFFICIAL_ORIGIN, OfficialScore, m5_panel
from benchmarks.measuring import Measured, measure
from benchmarks.rows import Row
from storecast.forecasting import contracts as c
from storecast.forecasting.boosted_ensemble import BoostedEnsemble
from storecast.forecasting.events import is_event, rare_event_codes, rare_events
from storecast.forecasting.panel import BoolArray, FloatArray, Panel
from storecast.forecasting.recursive_boosting import RecursiveLightGBM

EARLIER_ORIGINS: Final = (1829, 1857, 1885)
SHORT_ITEMS: Final = 10
TREES: Final = 400
SNAP: Final = "SNAP"
COMPARED_LEVELS: Final = (1, 9, 12)
PEER_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "tweedie",
    "tweedie_variance_power": 1.1,
    "n_estimators": TREES,
    "learning_rate": 0.075,
    "num_leaves": 127,
    "min_child_samples": 100,
    "subsample": 0.5,
    "subsample_freq": 1,
    "colsample_bytree": 0.6,
    "reg_lambda": 0.1,
    "verbosity": -1,
    "random_state": 0,
    "n_jobs": 2,
}
"""What a competent user would set by hand: no straw man."""


def run(*, is_short: bool) -> list[Row]:
    """Both contenders at the official origin and three before it; nothing after an origin is in what they get."""
    items = SHORT_ITEMS if is_short else None
    scores = {}
    costs: dict[str, Measured] = {}
    for origin in (OFFICIAL_ORIGIN,) if is_short else (OFFICIAL_ORIGIN, *EARLIER_ORIGINS):
        runs = {"ours": measure(ensemble_forecast, origin, items), "peer": measure(mlforecast_forecast, origin, items)}
        scores[origin] = {who: score_by_level(measured.result, origin, items) for who, measured in runs.items()}
        costs |= runs if origin == OFFICIAL_ORIGIN else {}
        means = {who: f"{by_level.mean():.4f}" for who, by_level in scores[origin].items()}
        click.echo(
            f"origin d_{origin}: WRMSSE {means}, wall { ({who: round(m.wall_seconds) for who, m in runs.items()}) }"
        )
    costs["same trees"] = measure(same_trees_forecast, OFFICIAL_ORIGIN, items)
    accuracy = [part_row(scores[OFFICIAL_ORIGIN])] if is_short else accuracy_rows(scores)
    return [*accuracy, *cost_rows(costs)]


def part_row(both: dict[str, FloatArray]) -> Row:
    """On a part of the items: no target is held against it."""
    what = f"RMSSE of all sales of {SHORT_ITEMS} items a department, one window"
    return Row(what, "-", float(both["ours"].mean()), float(both["peer"].mean()))


def accuracy_rows(scores: dict[int, dict[str, FloatArray]]) -> list[Row]:
    """WRMSSE at the official origin, at each earlier one, and their mean, whole and by level."""
    official = scores[OFFICIAL_ORIGIN]
    rows = [
        Row("WRMSSE d_1914-1941", "-", float(official["ours"].mean()), float(official["peer"].mean()), bound=0.50),
    ]
    earlier = [scores[origin] for origin in EARLIER_ORIGINS if origin in scores]
    for origin, both in zip(EARLIER_ORIGINS, earlier, strict=False):
        what = f"WRMSSE d_{origin + 1}-{origin + HORIZON}"
        rows.append(Row(what, "-", float(both["ours"].mean()), float(both["peer"].mean())))
    if earlier:
        ours, peer = (np.mean([both[who] for both in earlier], axis=0) for who in ("ours", "peer"))
        rows.append(
            Row("WRMSSE, mean of 3 earlier origins", "-", float(ours.mean()), float(peer.mean()), 0.95, "ratio")
        )
        for level in COMPARED_LEVELS:
            what = f"WRMSSE level {level}, mean of 3 earlier origins"
            rows.append(Row(what, "-", float(ours[level - 1]), float(peer[level - 1]), 1.0, "ratio"))
    return rows


def cost_rows(costs: dict[str, Measured]) -> list[Row]:
    """Time and memory from the panel's source files to the forecasts, at the official origin."""
    ours, peer, same = costs["ours"], costs["peer"], costs["same trees"]
    return [
        Row(f"LightGBM part, {TREES} trees, same features and rows: wall", "s", same.wall_seconds, peer.wall_seconds,
            bound=1.0, of="ratio"),
        Row("the same: CPU", "s", same.cpu_seconds, peer.cpu_seconds),
        Row("whole default ensemble: wall", "s", ours.wall_seconds, peer.wall_seconds, bound=2.0, of="ratio"),
        Row("the same: CPU", "s", ours.cpu_seconds, peer.cpu_seconds),
        Row("whole default ensemble: peak memory", "GB", ours.peak_gb, peer.peak_gb, bound=6.0),
    ]  # fmt: skip


def known_panel(origin: int, items: int | None) -> tuple[Panel, BoolArray]:
    """What is known at an origin, and which of all series had sold by then: the others are not in it.

    A department is a category, as a shop of 3,049 products would have it.
    """
    panel = m5_panel(origin, items)
    has_sold = np.nansum(panel.units, axis=1) > 0
    panel = replace(panel, statics=panel.statics.assign(**{c.CATEGORY: panel.statics["department"]}))
    return panel.take(has_sold).until(panel.days, HORIZON), has_sold


def for_all(forecast: FloatArray, has_sold: BoolArray) -> FloatArray:
    """A forecast of all series: nothing for those that never sold."""
    whole = np.zeros((len(has_sold), HORIZON))
    whole[has_sold] = forecast
    return whole


def ensemble_forecast(origin: int, items: int | None) -> FloatArray:
    """Ours, by default settings."""
    known, has_sold = known_panel(origin, items)
    return for_all(BoostedEnsemble(n_jobs=2).fit_panel(known).predict_panel(HORIZON), has_sold)


def same_trees_forecast(origin: int, items: int | None) -> FloatArray:
    """Our recursive model with the peer's number of trees, features and rows, held by nothing."""
    known, has_sold = known_panel(origin, items)
    model = RecursiveLightGBM(n_trees=TREES, max_rows=known.units.size, anchor_weight=0.0, n_jobs=2)
    return for_all(model.fit_panel(known).predict_panel(HORIZON), has_sold)


def mlforecast_forecast(origin: int, items: int | None) -> FloatArray:
    """The peer: mlforecast with lags 1, 7, 14, 21, 28, rolling means, calendar, price, food stamps, event, statics."""
    import lightgbm as lgb  # noqa: PLC0415  (the peer's import is its own cost, not ours)
    from mlforecast import MLForecast  # noqa: PLC0415
    from mlforecast.lag_transforms import RollingMean  # noqa: PLC0415

    known, has_sold = known_panel(origin, items)
    history, future = long_tables(known)
    seven, twenty_eight = RollingMean(7), RollingMean(28)
    model = MLForecast(
        models={"lightgbm": lgb.LGBMRegressor(**PEER_PARAMETERS)},
        freq="D",
        lags=[1, 7, 14, 21, 28],
        lag_transforms={1: [seven, twenty_eight], 7: [seven, twenty_eight], 28: [twenty_eight]},
        date_features=["dayofweek", "day", "month", "week"],
    )
    model.fit(history, static_features=["item", "store", "department", "category"], dropna=True)
    predicted = model.predict(HORIZON, X_df=future)
    forecast = predicted.sort_values(["unique_id", "ds"])["lightgbm"].to_numpy().reshape(-1, HORIZON)
    return for_all(forecast, has_sold)


def long_tables(known: Panel) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The panel as mlforecast's tables: rows from each series' first sale on, and known drivers of the days ahead."""
    days = known.days + HORIZON
    series, day = np.divmod(np.arange(len(known.keys) * days), days)
    times = pd.date_range(known.times[0], periods=days).to_numpy()
    price = known.drivers[c.UNIT_PRICE][:, :days]
    rare = {name: number for number, name in enumerate(rare_events(known, (SNAP,)))}
    columns: dict[str, Any] = {
        "unique_id": series.astype(np.int32),
        "ds": times[day],
        "price": price.ravel().astype(np.float32),
        "relative_price": (price / np.nanmean(price[:, : known.days], axis=1, keepdims=True))
        .ravel()
        .astype(np.float32),
        "snap": is_event(known, SNAP)[:, :days].ravel().astype(np.int8),
        "event": rare_event_codes(known, rare)[:, :days].ravel().astype(np.int8),
    }
    table = pd.DataFrame(columns)
    statics = {"item": c.PRODUCT_ID, "store": c.CHANNEL, "department": "department", "category": "cat_id"}
    own = known.statics.assign(cat_id=known.statics["department"].str.split("_").str[0])
    for name, column in statics.items():
        table[name] = pd.factorize(own[column])[0].astype(np.int32)[series]
    is_past = day < known.days
    history = table[is_past].assign(y=known.units.ravel().astype(np.float32))
    future = table.loc[~is_past, list(columns)]
    return history[history["y"].notna()], future


def score_by_level(forecast: FloatArray, origin: int, items: int | None) -> FloatArray:
    """The twelve levels' WRMSSE: the actual units are read here and nowhere else.

    On a part of the items there is no official score: the plain RMSSE of the whole sum stands in for each level, so
    that the short form runs the same way.
    """
    panel = m5_panel(origin + HORIZON, items)
    actual = np.nan_to_num(panel.units[:, -HORIZON:])
    if items is None:
        return OfficialScore.load(panel.keys).by_level(actual, forecast)
    missed = actual.sum(axis=0) - forecast.sum(axis=0)
    steps = np.diff(np.nansum(panel.units[:, :-HORIZON], axis=0))
    return np.full(len(LEVEL_COLUMNS), np.sqrt(np.mean(missed**2) / np.mean(steps**2)))
