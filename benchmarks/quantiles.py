"""M5's nine quantiles at its twelve levels over 280 series with full history, against AutoARIMA's and AutoETS's.

Ours: LightGBM as the registry has it, trained anew at each origin, added up to the levels, and quantiles from the
errors of its nine origins before, at each level from that level's own; all as `CoherentForecast` publishes them. The
peers get each series and each sum as a series of its own, with all days since its first sale, season 7, their normal
intervals with what is below 0 set to 0; AutoARIMA searches with `approximation`, as R's does on series of this length.
They are fitted once, at the first scored origin, and hold their parameters while the days go on: therefore that first
origin is given alone too. AutoARIMA takes seconds a series: it gets the sums of the upper five levels and each fifth of
the series, and ours is compared on the same. Settings of ours were chosen on days before the scored ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.m5_data import HORIZON, LAST_DAY, m5_sample
from benchmarks.measuring import Measured, measure
from benchmarks.quantile_scores import (
    ALPHAS,
    FINE_ALPHAS,
    distance_to_quantile,
    misses_of_exact_quantiles,
    scaled_pinball_losses,
    share_at_most,
    share_below,
    transform_shares,
    weighted_loss,
)
from benchmarks.reconcile import LEVELS
from benchmarks.rows import Row
from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import SEASON
from storecast.forecasting.hierarchy import Hierarchy, hierarchy_of
from storecast.forecasting.panel import FloatArray, IntArray, Panel
from storecast.forecasting.reconciled_forecaster import CoherentForecast, coherent_forecast
from storecast.forecasting.reconciliation_choice import BaseBacktests
from storecast.forecasting.registry import REGISTRY

MODEL: Final = "lightgbm"
SCORED: Final = 6
BEFORE: Final = 9
CENTRAL: Final = (99, 95, 67, 50)
"""The central intervals, in percent, whose ends are the nine quantiles but the middle one."""
ARIMA, ETS = "AutoARIMA", "AutoETS"
ARIMA_LEVELS: Final = 5
ARIMA_STEP: Final = 5
"""AutoARIMA gets the sums of so many levels, and one of so many series."""
MOST_RATIO: Final = 0.75
MOST_POINTS: Final = 2.0
SERIES: Final = "item-store"


@dataclass(frozen=True)
class Extent:
    """How much is done: scored origins, origins before each, series, first day and levels; the peers' processes."""

    scored: int = SCORED
    before: int = BEFORE
    series: int = 280
    first_day: int = 1
    levels: int = len(LEVELS)
    peer_jobs: int = 2


WHOLE: Final = Extent()
"""Against a part of it no target is held."""
SHORT: Final = Extent(scored=1, before=3, series=12, first_day=LAST_DAY - 399, levels=1, peer_jobs=1)


@dataclass(frozen=True, eq=False)
class Ours:
    """What ours says at each scored origin: the nine quantiles of all nodes, and as many as describe the whole."""

    nine: FloatArray
    fine: FloatArray


def run(*, is_short: bool) -> list[Row]:
    """Loss against both peers, coverage at each level, and what the contenders cost."""
    extent = SHORT if is_short else WHOLE
    ours = measure(our_quantiles, extent)
    peers = {name: measure(their_quantiles, extent, name) for name in (ETS, ARIMA)}
    compared = [row for name, peer in peers.items() for row in loss_rows(extent, ours, name, peer)]
    costs = [row for name, peer in peers.items() for row in cost_rows(ours, name, peer)]
    return [*compared, *coverage_rows(extent, ours, peers[ETS]), *costs]


def sample(extent: Extent) -> tuple[Panel, Hierarchy, list[int]]:
    """The panel, its levels, and the scored origins in days of the panel."""
    panel = m5_sample(first_day=extent.first_day)
    panel = panel.take(np.linspace(0, len(panel.keys) - 1, extent.series).astype(np.int64))
    origins = [panel.days - HORIZON * step for step in range(extent.scored, 0, -1)]
    return panel, hierarchy_of(panel.statics, LEVELS[: extent.levels]), origins


def our_quantiles(extent: Extent) -> Ours:
    """Ours at each scored origin, (origins, nodes, horizon, alphas)."""
    panel, hierarchy, origins = sample(extent)
    needed = {origin - HORIZON * step for origin in origins for step in range(extent.before + 1)}
    base = {origin: point_forecast(panel, origin) for origin in sorted(needed)}
    coherent = [coherent_at(panel, hierarchy, base, origin, extent.before) for origin in origins]
    return Ours(
        np.stack([each.quantiles(ALPHAS) for each in coherent]),
        np.stack([each.quantiles(FINE_ALPHAS).astype(np.float32) for each in coherent]),
    )


def point_forecast(panel: Panel, origin: int) -> FloatArray:
    """The default global model's forecast of the series from an origin, NaN of those that had not begun.

    A department is a category to it, as in `benchmarks.m5`.
    """
    known = panel.until(origin, HORIZON)
    known = replace(known, statics=known.statics.assign(**{c.CATEGORY: known.statics["department"]}))
    forecast = np.full((len(panel.keys), HORIZON), np.nan)
    model = REGISTRY[MODEL].forecaster(0, 2, HORIZON)
    forecast[panel.first_day < origin] = model.fit_panel(known).predict_panel(HORIZON)
    return forecast


def coherent_at(
    panel: Panel, hierarchy: Hierarchy, base: Mapping[int, FloatArray], origin: int, before: int
) -> CoherentForecast:
    """The bottom-up forecast of all nodes from an origin, with the back-tests of the origins before it."""
    earlier = [origin - HORIZON * step for step in range(before, 0, -1)]
    forecasts = np.stack([with_sums(hierarchy, base[each]) for each in earlier])
    has_begun = [(panel.first_day < each)[:, None] for each in earlier]
    units = [panel.units[:, each : each + HORIZON] for each in earlier]
    actual = np.stack([hierarchy.totals(np.where(*both, np.nan)) for both in zip(has_begun, units, strict=True)])
    actual[np.isnan(forecasts)] = np.nan
    known = replace(panel.without_drivers(), times=panel.times[:origin], units=panel.units[:, :origin])
    backtests = BaseBacktests(hierarchy, actual, forecasts)
    return coherent_forecast(known, backtests, with_sums(hierarchy, base[origin]), "bottom_up")


def with_sums(hierarchy: Hierarchy, series: FloatArray) -> FloatArray:
    """The series' forecasts below their sums; the series' own stay NaN where a series had not begun."""
    return np.concatenate([hierarchy.sums(series), series])


def nodes_of(hierarchy: Hierarchy, name: str) -> IntArray:
    """The nodes that a peer gets."""
    if name == ETS:
        return np.arange(hierarchy.nodes)
    sums = sum(level.nodes for level in hierarchy.levels[:ARIMA_LEVELS])
    return np.concatenate([np.arange(sums), np.arange(hierarchy.aggregates, hierarchy.nodes, ARIMA_STEP)])


def their_quantiles(extent: Extent, name: str) -> FloatArray:
    """A peer's quantiles at each scored origin, (origins, its nodes, horizon, alphas), fitted at the first."""
    from statsforecast import StatsForecast, models  # noqa: PLC0415  (the peer's import is its own cost, not ours)

    makers: dict[str, Any] = {
        ARIMA: lambda: models.AutoARIMA(season_length=SEASON, approximation=True),
        ETS: lambda: models.AutoETS(season_length=SEASON),
    }
    panel, hierarchy, _ = sample(extent)
    frame = long_frame(panel, hierarchy.totals(panel.units), nodes_of(hierarchy, name))
    found = StatsForecast(models=[makers[name]()], freq="D", n_jobs=extent.peer_jobs).cross_validation(
        df=frame, h=HORIZON, n_windows=extent.scored, step_size=HORIZON, refit=False, level=list(CENTRAL)
    )
    found = found.sort_values(["cutoff", "unique_id", "ds"])
    columns = [f"{name}-lo-{level}" for level in CENTRAL] + [name] + [f"{name}-hi-{level}" for level in CENTRAL[::-1]]
    quantiles = found[columns].to_numpy(np.float64).reshape(extent.scored, -1, HORIZON, len(ALPHAS))
    return np.maximum(quantiles, 0.0)


def long_frame(panel: Panel, units: FloatArray, nodes: IntArray) -> pd.DataFrame:
    """Some nodes as Nixtla's libraries take them, each from its first sale on."""
    place, day = np.nonzero(np.maximum.accumulate(units[nodes] > 0, axis=1))
    return pd.DataFrame({"unique_id": nodes[place], "ds": panel.times.to_numpy()[day], "y": units[nodes[place], day]})


def level_losses(extent: Extent, quantiles: FloatArray, nodes: IntArray) -> dict[str, FloatArray]:
    """The weighted scaled pinball loss of each level of which some nodes are given, at each origin."""
    panel, hierarchy, origins = sample(extent)
    units, price = hierarchy.totals(panel.units), np.nan_to_num(panel.drivers[c.UNIT_PRICE][:, : panel.days])
    revenue = hierarchy.totals(np.nan_to_num(panel.units) * price)
    losses = np.full((len(origins), hierarchy.nodes), np.nan)
    weights = np.zeros_like(losses)
    for place, origin in enumerate(origins):
        actual, history = units[nodes, origin : origin + HORIZON], units[nodes, :origin]
        losses[place, nodes] = scaled_pinball_losses(actual, quantiles[place], history)
        weights[place, nodes] = revenue[nodes, origin - HORIZON : origin].sum(axis=1)
    return {
        name: np.array([weighted_loss(*both) for both in zip(losses[:, rows], weights[:, rows], strict=True)])
        for name, rows in levels_of(hierarchy).items()
        if weights[:, rows].any()
    }


def levels_of(hierarchy: Hierarchy) -> dict[str, slice]:
    """The rows of each level, that of the series last."""
    return {**hierarchy.rows, SERIES: slice(hierarchy.aggregates, None)}


def loss_rows(extent: Extent, ours: Measured, name: str, peer: Measured) -> list[Row]:
    """The mean over levels against a peer, all origins and the first alone; then each level."""
    _, hierarchy, _ = sample(extent)
    nodes = nodes_of(hierarchy, name)
    loss = level_losses(extent, ours.result.nine[:, nodes], nodes)
    theirs = level_losses(extent, peer.result, nodes)
    mean, their_mean = (np.mean(list(each.values()), axis=0) for each in (loss, theirs))
    series = int((nodes >= hierarchy.aggregates).sum())
    what = f"weighted scaled pinball loss, {len(loss)} levels, {series} of {extent.series} series; peer: {name}"
    bound = MOST_RATIO if extent == WHOLE and len(nodes) == hierarchy.nodes else None
    return [
        Row(f"{what}; {extent.scored} origins", "-", float(mean.mean()), float(their_mean.mean()), bound, "ratio"),
        Row(f"{what}; the origin at which it is fitted", "-", float(mean[0]), float(their_mean[0])),
        *(Row(f"the same at {level}; peer: {name}", "-", float(loss[level].mean()), float(theirs[level].mean()))
          for level in loss),
    ]  # fmt: skip


def coverage_rows(extent: Extent, ours: Measured, peer: Measured) -> list[Row]:
    """At each level how far the worst of nine quantiles is from its share of days, said in three ways."""
    panel, hierarchy, origins = sample(extent)
    units = hierarchy.totals(panel.units)
    actual = np.stack([units[:, origin : origin + HORIZON] for origin in origins])
    bound = MOST_POINTS if extent == WHOLE else None
    days = len(origins) * HORIZON
    chance = 100 * misses_of_exact_quantiles(days)
    rows = [
        Row(
            f"one series, {days} days: the worst of nine exact quantiles is off by, {name} of draws",
            "points",
            float(np.percentile(chance, percent)),
        )
        for name, percent in (("median", 50), ("95 %", 95))
    ]
    for level, of_level in levels_of(hierarchy).items():
        known = actual[:, of_level]
        nine, fine, other = (array[:, of_level] for array in (ours.result.nine, ours.result.fine, peer.result))
        plain, others_plain = share_at_most(known, nine), share_at_most(known, other)
        distance = distance_to_quantile(share_below(known, nine), plain)
        others_distance = distance_to_quantile(share_below(known, other), others_plain)
        what = f"{level}, {known.size} days: the worst of nine quantiles is off by, in points of"
        rows += [
            Row(f"{what} the probability integral transform for counts", "points",
                100 * float(np.abs(transform_shares(known, fine) - ALPHAS).max()), bound=bound),
            Row(f"{what} [share below it, share at most it]; peer: {ETS}", "points", 100 * float(distance.max()),
                100 * float(others_distance.max())),
            Row(f"{what} the plain share at most it, which counts cannot meet; peer: {ETS}", "points",
                100 * float(np.abs(plain - ALPHAS).max()), 100 * float(np.abs(others_plain - ALPHAS).max())),
        ]  # fmt: skip
    return rows


def cost_rows(ours: Measured, name: str, peer: Measured) -> list[Row]:
    """Time and memory from the panel's source files to the quantiles of all scored origins."""
    what = f"all origins, ours trained at each of them and before; peer: {name} on its nodes, fitted once"
    return [
        Row(f"{what}: wall", "s", ours.wall_seconds, peer.wall_seconds),
        Row(f"{what}: CPU", "s", ours.cpu_seconds, peer.cpu_seconds),
        Row(f"{what}: peak memory", "GB", ours.peak_gb, peer.peak_gb),
    ]
