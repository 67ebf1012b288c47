"""A year of 276 item-stores of M5: retraining daily against retraining where it pays, and against never.

They are those of the 280 with full history that had begun before the year's first training.

Every fortnight of the year before d_1914 each way forecasts 28 days. *Daily* does so with a training of that very day,
*never* with the year's first. *Ours* has the newest training that is a multiple of 28 days old, as `due_training` asks
for it, and the levels that the statements of `ops.product_drift` and `ops.retraining_requests` and `retrain` find, with
the settings' budget and cool-down; tracking signals are left out, since nothing is published between the fortnights.

Compute is CPU seconds of back-tests, choice, interval scales and fits: 365 mean trainings a year of one way, 365 / 28
of ours and what retraining single products took. The drift report is made daily whichever way is gone, since people
read it: it is told beside. Models are the cheap default ones and a LightGBM of 60 trees, on the newest 400 days.

What a level that moved costs and what retraining gives back is told for 100 series: the best sellers of the last
origin, their sales 14 days before it and since halved, or 1.6 times as many. The short form has three origins.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd

from benchmarks.drift_shop import shop
from benchmarks.m5_data import HORIZON, OFFICIAL_ORIGIN, m5_sample
from benchmarks.measuring import timed
from benchmarks.rows import Row
from storecast.forecasting import contracts as c
from storecast.forecasting import retraining_contracts as r
from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.forecast import champion_forecasts, train_global_models
from storecast.forecasting.intervals import fit_interval_scales
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.registry import ModelSpec, models_named
from storecast.forecasting.retraining import at_new_levels, retrain
from storecast.forecasting.retraining_requests import REQUESTS_SQL
from storecast.forecasting.selection import champion_backtests, champions_table, choose_champions
from storecast.monitoring.product_drift import product_drift
from storecast.settings import Settings

YEAR_DAYS: Final = 365
EVERY_DAYS: Final = 14
ORIGINS: Final = 26
WINDOW_DAYS: Final = 400
SERIES: Final = 280
MODELS: Final = ("window_average", "long_window_average", "tsb", "theta", "lightgbm")
TREES: Final = 60
PLAN: Final = BacktestPlan(HORIZON, selection_origins=2, evaluation_origins=0)
SHIFTED: Final = 100
SHIFTED_DAYS: Final = 14
FACTORS: Final = {"halved": 0.5, "1.6 times as high": 1.6}
OPS_SQL: Final = """
    create schema ops;
    create table ops.product_partitions as
    select distinct product_id, product_id as partition_key from gold.daily_demand;
    create table ops.tracking_signals (
        node varchar, channel varchar, level varchar, as_of_date date, smoothed_absolute_error_units double,
        is_biased boolean
    );
    create table ops.promotions (kind varchar, last_date date);
    create table ops.retraining_requests (
        report_date date, partition_key varchar, product_id varchar, channel varchar, change_date date,
        kinds varchar, error_units double
    );
"""


@dataclass(frozen=True, eq=False)
class Training:
    """Champions and global models of one day."""

    champions: pd.DataFrame
    fitted: pd.DataFrame
    last_day: pd.Timestamp

    def forecast(self, panel: Panel) -> FloatArray:
        """The champions' means (series, horizon)."""
        return champion_forecasts(panel, self.champions, self.fitted, horizon=HORIZON).mean


@dataclass(eq=False)
class Way:
    """What one way of retraining said at each origin, and what its trainings took."""

    forecasts: list[FloatArray]
    cpu_seconds: float = 0.0


def run(*, is_short: bool) -> list[Row]:
    """Accuracy and compute of the three ways, and what retraining single products gives back."""
    origins = [OFFICIAL_ORIGIN - EVERY_DAYS * back for back in reversed(range(3 if is_short else ORIGINS))]
    first_day = origins[0] - HORIZON - WINDOW_DAYS + 1
    panel = m5_sample(OFFICIAL_ORIGIN + HORIZON, first_day)
    days = [origin - first_day + 1 for origin in origins]
    panel = panel.take(panel.first_day < days[0] - HORIZON * PLAN.selection_origins)
    rows = [*year_rows(panel, days), *shift_rows(panel, days[-1])]
    return [Row(row.what, row.unit, row.ours, row.peer) for row in rows] if is_short else rows


def specs() -> tuple[ModelSpec, ...]:
    """The models that compete."""
    return tuple(
        replace(spec, parameters={"n_trees": TREES}) if spec.is_global else spec for spec in models_named(MODELS)
    )


def window(panel: Panel, day: int) -> Panel:
    """What is known at an origin of its newest days."""
    known, rest = panel.until(day, HORIZON), slice(day - WINDOW_DAYS, None)
    drivers = {name: driver[:, rest] for name, driver in known.drivers.items()}
    return replace(known, times=known.times[rest], units=known.units[:, rest], drivers=drivers)


def train(panel: Panel) -> Training:
    """A whole training on all that a panel holds."""
    selection = backtest(panel, specs(), PLAN).of_split(c.SELECTION)
    policy = choose_champions(selection)
    fit_interval_scales(selection.actual, champion_backtests(selection, policy), selection.classes)
    fitted = train_global_models(panel, specs(), training_id="-", snapshot_hash="-", horizon=HORIZON)
    return Training(champions_table(policy, panel, "-"), fitted, panel.times[-1])


def year_rows(panel: Panel, days: list[int]) -> list[Row]:
    """Replay the origins (days of history), and compare."""
    daily, ours, never = Way([]), Way([]), Way([])
    trained, drift_seconds = [], []
    retrained = pd.DataFrame(columns=list(r.RetrainedSeries.to_schema().columns))
    with shop(SERIES) as connection:
        connection.execute(OPS_SQL)
        for place, day in enumerate(days):
            known = window(panel, day)
            training, _, seconds = timed(train, known)
            trained.append(training)
            daily.cpu_seconds += seconds
            newest = trained[place - place % (Settings().retrain_days // EVERY_DAYS)]
            drift, _, seconds = timed(product_drift, query_of(connection), known.times[-1].date())
            drift_seconds.append(seconds)
            asked = requests_of(connection, drift, retrained, newest.last_day)
            asked = asked[pd.MultiIndex.from_frame(asked[[c.PRODUCT_ID, c.CHANNEL]]).isin(known.keys)]
            answered, _, seconds = timed(retrain, known, asked, newest.forecast, HORIZON)
            ours.cpu_seconds += seconds
            retrained = pd.concat([retrained, answered], ignore_index=True) if len(retrained) else answered
            daily.forecasts.append(training.forecast(known))
            ours.forecasts.append(newest.forecast(at_new_levels(known, retrained)[0]))
            never.forecasts.append(trained[0].forecast(known))
    mean_seconds = daily.cpu_seconds / len(days)
    year = len(days) * EVERY_DAYS / YEAR_DAYS
    ours_seconds = YEAR_DAYS / Settings().retrain_days * mean_seconds + ours.cpu_seconds / year
    moved = int((retrained[r.LEVEL_FACTOR] != 1).sum())
    return [
        *accuracy_rows(panel, days, daily, ours, never),
        Row("compute of a year; peer: daily", "CPU s", ours_seconds, YEAR_DAYS * mean_seconds, bound=0.1, of="ratio"),
        Row("of it retraining single products", "CPU s", ours.cpu_seconds / year),
        Row("drift report, 365 of a year, made either way", "CPU s", YEAR_DAYS * float(np.mean(drift_seconds))),
        Row("series retrained", "-", len(retrained)),
        Row("of them read at a new level", "-", moved),
    ]


def query_of(connection: duckdb.DuckDBPyConnection) -> Any:
    """The function by which the detector asks the shop."""
    return lambda sql, parameters: connection.execute(sql, parameters).df()


def requests_of(
    connection: duckdb.DuckDBPyConnection, drift: pd.DataFrame, retrained: pd.DataFrame, trained_until: pd.Timestamp
) -> pd.DataFrame:
    """What the platform's own statement asks for, given the newest report, what was answered before, and the champion.

    The champion's training saw the days up to `trained_until`.
    """
    connection.execute(
        "create or replace table ops.registered_models as select 'champion' as alias, ? as origin_date",
        [trained_until.to_pydatetime()],
    )
    for name, frame in (("product_drift", drift), ("retrained_series", retrained)):
        connection.register("incoming", frame)
        connection.execute(
            f"create or replace table ops.{name} as select * replace (report_date::date as report_date) from incoming"
        )
        connection.unregister("incoming")
    limits = {"cooldown_days": Settings().retrain_cooldown_days, "budget": Settings().retrain_budget_partitions}
    return connection.execute(REQUESTS_SQL, limits).df()


def accuracy_rows(panel: Panel, days: list[int], daily: Way, ours: Way, never: Way) -> list[Row]:
    """WAPE and RMSSE over all origins, of products' series and of the total; ours and never's beside daily's."""
    rows = []
    for what, measured in (("WAPE", wape), ("RMSSE", rmsse)):
        for level, sums in (("item-store", lambda units: units), ("total", lambda units: units.sum(axis=0)[None])):
            figures = [measured(panel, days, way.forecasts, sums) for way in (ours, daily, never)]
            rows.append(
                Row(f"{what}, {level}; peer: daily", "-", figures[0], figures[1], bound=1.01, of="ratio"),
            )
            rows.append(Row(f"{what}, {level}, never retrained; peer: daily", "-", figures[2], figures[1]))
    return rows


def wape(panel: Panel, days: list[int], forecasts: list[FloatArray], sums: Any) -> float:
    """Absolute error over units sold, all origins together."""
    actual = [sums(panel.units[:, day : day + HORIZON]) for day in days]
    missed = sum(np.abs(sums(said) - sold).sum() for said, sold in zip(forecasts, actual, strict=True))
    return float(missed / sum(sold.sum() for sold in actual))


def rmsse(panel: Panel, days: list[int], forecasts: list[FloatArray], sums: Any) -> float:
    """Root mean squared error over that of the last value carried forward, the mean over series and origins."""
    scores = []
    for day, said in zip(days, forecasts, strict=True):
        steps = np.diff(sums(np.nan_to_num(panel.units[:, :day])), axis=1)
        missed = sums(said) - sums(panel.units[:, day : day + HORIZON])
        scores.append(np.sqrt((missed**2).mean(axis=1) / (steps**2).mean(axis=1)))
    return float(np.mean(scores))


def shift_rows(panel: Panel, day: int) -> list[Row]:
    """WAPE of 28 days after a level that moved 14 days ago: retrained, as it was, and where nothing had moved."""
    training = train(window(panel, day - HORIZON))
    best = np.argsort(-np.nansum(panel.units[:, day - 2 * HORIZON : day], axis=1))[:SHIFTED]
    rows, clean, change = [], panel.take(best), day - SHIFTED_DAYS
    unmoved = wape(clean, [day], [training.forecast(clean.until(day, HORIZON))], np.asarray)
    for what, factor in FACTORS.items():
        units = np.array(clean.units)
        chance = np.random.default_rng(0).random(units[:, change:].shape)
        units[:, change:] = np.floor(factor * units[:, change:] + chance)
        moved = clean.with_units(units)
        known = moved.until(day, HORIZON)
        found = retrain(known, asked_for(known, change), training.forecast, HORIZON)
        score = partial(wape, moved, [day], sums=np.asarray)
        retrained, as_it_was = (score([training.forecast(own)]) for own in (at_new_levels(known, found)[0], known))
        rows.append(Row(f"WAPE after levels {what}, retrained; peer: as it was", "-", retrained, as_it_was))
    return [*rows, Row("WAPE of the same where nothing moved", "-", unmoved)]


def asked_for(panel: Panel, change: int) -> pd.DataFrame:
    """A request for every series of a panel: a level that moved on one day."""
    return panel.keys.to_frame(index=False).assign(
        **{
            r.REPORT_DATE: panel.times[-1],
            c.PARTITION_KEY: panel.keys.get_level_values(0),
            r.CHANGE_DATE: panel.times[change],
            r.KINDS: "level",
            r.ERROR_UNITS: 0.0,
        }
    )
