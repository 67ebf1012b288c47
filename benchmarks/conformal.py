"""Quantiles of every series of M5 from stored back-tests, and how often they cover on days that had no part in them.

Two seasonal means were back-tested from eight origins and stored; the first six make the intervals, the last two
only judge them. Coverage moves from origin to origin, as a shop's demand does against any forecast of it: by how much,
each of the first six shows when the other five make its intervals. What two origins may be off by for that alone stands
beside each class's miss: within it they tell nothing against what made the quantiles. Timed is all that follows from
the stored table: reading it, the errors' pools, and nine quantiles of 28 days. The peer, sktime's `ConformalIntervals`,
refits at each day of the history: on a few series, its time multiplied up to all.
"""

import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats
from sktime.forecasting.conformal import ConformalIntervals
from sktime.forecasting.naive import NaiveForecaster

from benchmarks.backtest import read, store
from benchmarks.cheap import sktime_frame
from benchmarks.m5_data import HORIZON, LAST_DAY, m5_panel
from benchmarks.measuring import measure, timed
from benchmarks.quantile_scores import (
    ALPHAS,
    FINE_ALPHAS,
    distance_to_quantile,
    share_at_most,
    share_below,
    transform_shares,
)
from benchmarks.rows import Row
from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import SEASON, BacktestPlan, Backtests, backtest
from storecast.forecasting.demand_classes import CLASSES
from storecast.forecasting.intervals import IntervalScales, fit_interval_scales
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.registry import REGISTRY
from storecast.forecasting.selection import JOIN, blended
from storecast.warehouse.database import Warehouse

PLAN: Final = BacktestPlan(HORIZON, selection_origins=6, evaluation_origins=2)
MODELS: Final = ("long_window_average", "window_average")
SHORT_ITEMS: Final = 5
PEER_SERIES: Final = 4
SHORT_PEER_SERIES: Final = 1
MOST_SECONDS: Final = 30.0
MOST_POINTS: Final = 1.5
SERIES_A_TIME: Final = 1000


@dataclass(frozen=True, eq=False)
class Answer:
    """Seconds of each step, and the quantiles of the first evaluation origin (series, horizon, alphas)."""

    seconds: dict[str, float]
    quantiles: FloatArray


def run(*, is_short: bool) -> list[Row]:
    """Time from the stored table to the quantiles, coverage by demand class, and the peer's time."""
    panel = replace(m5_panel(LAST_DAY, SHORT_ITEMS if is_short else None), drivers={}, event_names=())
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder, "warehouse.duckdb"))
        results = stored(warehouse, panel)
        ours = measure(intervals, Path(folder, "warehouse.duckdb"), panel)
    series = SHORT_PEER_SERIES if is_short else PEER_SERIES
    theirs = measure(their_intervals, panel, series)
    scale = len(panel.keys) / series
    what = f"{len(panel.keys)} series × {HORIZON} days × {len(ALPHAS)} quantiles from {PLAN.selection_origins} origins"
    peer = f"ConformalIntervals on {series} series, times {scale:.4g}"
    whole = Row(f"{what}: wall; {peer}", "s", ours.wall_seconds, theirs.wall_seconds * scale, bound=MOST_SECONDS)
    return [
        whole,
        Row(f"the same: CPU; {peer}", "s", ours.cpu_seconds, theirs.cpu_seconds * scale),
        Row("the same: peak memory; the peer's that of its few series", "GB", ours.peak_gb, theirs.peak_gb),
        *(Row(f"of which {step}: wall", "s", seconds) for step, seconds in ours.result.seconds.items()),
        *coverage_rows(results, None if is_short else MOST_POINTS),
    ]


def stored(warehouse: Warehouse, panel: Panel) -> Backtests:
    """Back-test both models from all origins, and store those of the selection origins as `ops.backtests`."""
    results = backtest(panel, [REGISTRY[name] for name in MODELS], PLAN)
    store(warehouse, results.of_split(c.SELECTION))
    return results


def champion(results: Backtests) -> FloatArray:
    """The mean of both models at each origin, (origins, series, horizon)."""
    return blended(JOIN.join(MODELS), results.forecasts)


def intervals(path: Path, panel: Panel) -> Answer:
    """What is measured: from the stored back-tests to the quantiles of the days after the last origin."""
    seconds: dict[str, float] = {}
    results, seconds["reading the back-tests"], _ = timed(read, Warehouse(path), panel)
    mean = champion(results)
    scales, seconds["pools and spreads"], _ = timed(fit_interval_scales, results.actual, mean, results.classes, ALPHAS)
    quantiles, seconds["quantiles"], _ = timed(
        scales.quantiles, np.nan_to_num(mean[-1]), results.classes[-1], scales.series_spreads
    )
    return Answer(seconds, quantiles)


def coverage_rows(results: Backtests, bound: float | None) -> list[Row]:
    """By demand class, how far the worst of nine quantiles is from its share of days, at the evaluation origins.

    On a part of the series no bound is held against it.
    """
    before, after = results.of_split(c.SELECTION), results.of_split(c.EVALUATION)
    mean = champion(before)
    scales = (
        fit_interval_scales(before.actual, mean, before.classes, ALPHAS),
        fit_interval_scales(before.actual, mean, before.classes, FINE_ALPHAS),
    )
    found = {name: _Coverage.of(name, scales, after) for name in CLASSES}
    shifts = origin_shifts(before)
    rows = []
    for name, coverage in found.items():
        if coverage is not None:
            what = f"{name}, {coverage.series} series and origins: the worst of nine quantiles is off by, in points of"
            rows += [
                Row(f"{what} the probability integral transform for counts", "points", 100 * coverage.transform,
                    bound=bound),
                Row(f"{what} [share below it, share at most it]", "points", 100 * coverage.distance),
                Row(f"{what} the plain share at most it, which counts cannot meet", "points", 100 * coverage.plain),
            ]  # fmt: skip
        if name in shifts:
            chance = off_by_chance(shifts[name], len(before.origins), len(after.origins))
            rows += [
                Row(f"{name}: standard deviation from origin to origin of the quantile that moves most", "points",
                    100 * shifts[name]),
                Row(f"{name}: in one of 20 cases {len(after.origins)} origins are off by more for that alone", "points",
                    100 * chance),
            ]  # fmt: skip
    return rows


def origin_shifts(before: Backtests) -> dict[str, float]:
    """By class how far coverage moves from origin to origin, in parts of 1: each judged by intervals of the others.

    The standard deviation over origins of the quantile that moves most; a class that some origin lacks is left out.
    """
    mean, places = champion(before), np.arange(len(before.origins))
    shares: dict[str, list[FloatArray]] = {name: [] for name in CLASSES}
    for place in places:
        others = np.flatnonzero(places != place)
        scales = fit_interval_scales(before.actual[others], mean[others], before.classes[others], FINE_ALPHAS)
        for name, found in shares.items():
            rows = np.flatnonzero((before.classes[place] == name) & ~np.isnan(mean[place]).any(axis=1))
            rows = rows[:: max(len(rows) // SERIES_A_TIME, 1)]
            if len(rows):
                fine = scales.quantiles(mean[place, rows], before.classes[place, rows], scales.series_spreads[rows])
                found.append(transform_shares(before.actual[place, rows], fine))
    return {
        name: float(np.std(found, axis=0, ddof=1).max()) for name, found in shares.items() if len(found) == len(places)
    }


def off_by_chance(shift: float, before: int, after: int) -> float:
    """How far coverage at `after` origins is off in one of 20 where nothing but `before` origins told of it.

    `shift` is the deviation from origin to origin, each judged by the others: before / (before - 1) of their own. The
    mean of the one is held against that of the other by Student's t.

    >>> round(off_by_chance(0.024, before=6, after=2), 4)
    0.042
    """
    own = shift * (before - 1) / before
    return float(stats.t.ppf(0.975, before - 1) * own * np.sqrt(1 / before + 1 / after))


@dataclass(frozen=True)
class _Coverage:
    """The largest distance of a quantile's coverage from alpha, said in three ways, in parts of 1."""

    series: int
    transform: float
    distance: float
    plain: float

    @classmethod
    def of(cls, name: str, scales: tuple[IntervalScales, IntervalScales], after: Backtests) -> "_Coverage | None":
        """Of the series that are of a class at an evaluation origin; None where there are none."""
        mean = champion(after)
        place, series = np.nonzero((after.classes == name) & ~np.isnan(mean).any(axis=2))
        if not len(series):
            return None
        shares = np.zeros((3, len(ALPHAS)))
        for start in range(0, len(series), SERIES_A_TIME):
            part = slice(start, start + SERIES_A_TIME)
            its_mean, actual = mean[place[part], series[part]], after.actual[place[part], series[part]]
            classes = after.classes[place[part], series[part]]
            quantiles, whole = (each.quantiles(its_mean, classes, each.series_spreads[series[part]]) for each in scales)
            found = (share_below(actual, quantiles), share_at_most(actual, quantiles), transform_shares(actual, whole))
            shares += len(actual) / len(series) * np.array(found)
        below, at_most, transform = shares
        return cls(
            len(series),
            float(np.abs(transform - ALPHAS).max()),
            float(distance_to_quantile(below, at_most).max()),
            float(np.abs(at_most - ALPHAS).max()),
        )


def their_intervals(panel: Panel, series: int) -> pd.DataFrame:
    """Conformal quantiles of sktime around a seasonal mean, for a few series that began on the first day."""
    rows = np.flatnonzero(panel.first_day == 0)
    chosen = panel.take(rows[np.linspace(0, len(rows) - 1, series).astype(np.int64)])
    mean = NaiveForecaster(strategy="mean", sp=SEASON, window_length=4 * SEASON)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a line for each refit would be timed too
        peer = ConformalIntervals(mean, method="empirical").fit(sktime_frame(chosen), fh=range(1, HORIZON + 1))
        return peer.predict_quantiles(alpha=list(ALPHAS))
