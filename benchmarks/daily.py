"""One more day for every series of M5 without a refit, and what a stored champion costs in bytes and to load.

The champions are given, not chosen: the costliest that the default models make – mean of ETS, theta and LightGBM where
demand is regular, of LightGBM and TSB where it is not – fitted up to d_1912. Day d_1913 is read from the warehouse,
moves every state, and 28 days are forecast, reconciled with theta's forecasts of the sums and written with quantiles,
as are the champions themselves. LightGBM is trained before and not counted: no peer has it. The peer is statsforecast,
which has no update: it fits the same local models anew on as many processes as there are cores; what it keeps of a
fitted series is what pickle makes of it.
"""

import os
import pickle
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from statsforecast import StatsForecast, models

from benchmarks.cheap import long_frame
from benchmarks.m5_data import HORIZON, OFFICIAL_ORIGIN, m5_panel
from benchmarks.measuring import measure
from benchmarks.reconcile import LEVELS
from benchmarks.rows import Row
from storecast.forecasting import contracts as c
from storecast.forecasting.demand_classes import demand_classes
from storecast.forecasting.fallbacks import with_fallbacks
from storecast.forecasting.fitted_champions import (
    FittedChampions,
    champions_from_table,
    champions_to_table,
    fit_champions,
)
from storecast.forecasting.forecast import forecast_table, train_global_models
from storecast.forecasting.hierarchy import Hierarchy, aggregate_panel, hierarchy_of
from storecast.forecasting.intervals import fit_interval_scales, scales_from_table, scales_table
from storecast.forecasting.panel import DRIVERS, EVENT_CODE, FloatArray, Panel, panel_from_tables
from storecast.forecasting.reconciliation import minimum_trace, structural_variances
from storecast.forecasting.registry import REGULAR, models_named
from storecast.forecasting.rolling_panel import latest
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import Warehouse

REGULAR_CHAMPION: Final = "auto_ets+lightgbm+theta"
OTHER_CHAMPION: Final = "lightgbm+tsb"
TRAINING: Final = "benchmark"
SHORT_ITEMS: Final = 20
LOADED: Final = 200
WARM_UP: Final = 5
SAMPLE: Final = 100
MOST_BYTES: Final = 1024.0
MOST_LOAD_MS: Final = 10.0
MOST_SECONDS: Final = 60.0
MOST_DIFFERENCE: Final = 1e-12
STEPS: Final = ("reading", "update", "forecast", "reconciliation", "quantiles", "writing")
"""What one more day consists of."""
DAY_SQL: Final = "select * from gold.daily_demand where date > (select max(origin_date) from ops.fitted_champions)"


def run(*, is_short: bool) -> list[Row]:
    """Fit and store up to the day before, measure the day, the loads and the peer."""
    cores = os.cpu_count() or 1
    panel = m5_panel(OFFICIAL_ORIGIN, SHORT_ITEMS if is_short else None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "warehouse.duckdb")
        fitting = measure(prepare, path, SHORT_ITEMS if is_short else None, cores)
        size, reload_differs = fitting.result
        day = measure(one_more_day, path)
        loads = measure(load_products, path, LOADED)
    seconds, written, tsb = day.result
    expected = models_forecast(panel, "tsb")
    theirs = measure(refit, panel, cores)
    kept = measure(what_statsforecast_keeps, panel)
    series = len(panel.keys)
    what = f"one more day for {series} series"
    return [
        Row("a fitted champion set in the warehouse, a series", "bytes", size / series, kept.result[0], MOST_BYTES),
        Row("forecasts that differ after a reload", "numbers", float(reload_differs), bound=0.0),
        Row(f"a product loaded, the file open: 95 % of {LOADED}", "ms", loads.result[1], bound=MOST_LOAD_MS),
        Row("the same: CPU, 95 %", "ms", loads.result[4]),
        Row("the same: median; statsforecast's pickle of one series", "ms", loads.result[0], kept.result[1]),
        Row("opening the file: median", "ms", loads.result[2]),
        Row("the product's 28 days forecast, LightGBM's text read anew: median", "ms", loads.result[3]),
        Row(f"{what}: wall time; statsforecast's refit of the local models", "s", day.wall_seconds,
            theirs.wall_seconds, MOST_SECONDS),
        Row(f"{what}: CPU time", "s", day.cpu_seconds, theirs.cpu_seconds),
        Row(f"{what}: peak memory", "GB", day.peak_gb, theirs.peak_gb),
        *(Row(f"{what}: {step}", "s", seconds[step]) for step in STEPS),
        Row("rows written", "rows", float(written)),
        Row("TSB: largest difference to a fit on the whole history", "units",
            float(np.nanmax(np.abs(tsb - expected))), bound=MOST_DIFFERENCE),
        Row("fitting the set and LightGBM, before", "s", fitting.wall_seconds),
    ]  # fmt: skip


def prepare(path: Path, items: int | None, cores: int) -> tuple[float, int]:
    """Fill a warehouse as a training and a day more left it: the set's bytes, and the numbers that a reload changes."""
    panel, known = m5_panel(OFFICIAL_ORIGIN, items), m5_panel(OFFICIAL_ORIGIN - 1, items)
    warehouse = Warehouse(path)
    champions, trained = given_champions(known), train(known, cores)
    fitted = fit_champions(known, champions, trained, training_id=TRAINING, n_jobs=cores)
    scales = interval_scales(known)
    size = stored_bytes(path.with_name("alone.duckdb"), fitted, trained, scales)
    for table, rows in {
        "ops.fitted_champions": champions_to_table(fitted),
        "ops.fitted_models": trained,
        "ops.interval_scales": scales,
        "ops.fitted_sums": champions_to_table(fitted_sums(known)),
        "gold.daily_demand": demand_rows(latest(panel, 1)),
        "gold.planned_drivers": planned_rows(latest(panel, 1)),
        "silver.products": known.statics[[c.PRODUCT_ID, c.CATEGORY]].drop_duplicates(),
    }.items():
        warehouse.replace_table(table, rows)
    same_day = Warehouse(path.with_name("alone.duckdb")).read("select * from ops.fitted_champions")
    again = champions_from_table(same_day, trained).updated(latest(known, 1))
    changed = again.mean_units(HORIZON) != fitted.mean_units(HORIZON)
    return size, int(changed.sum())


def given_champions(panel: Panel) -> pd.DataFrame:
    """The champion of each series by its demand class, as `ops.champions` has them."""
    classes = demand_classes(panel.units)
    chosen = np.where(np.isin(classes.astype(str), sorted(REGULAR)), REGULAR_CHAMPION, OTHER_CHAMPION)
    return panel.keys.to_frame(index=False).assign(**{c.DEMAND_CLASS: classes, c.MODEL: chosen.astype(object)})


def train(panel: Panel, cores: int) -> pd.DataFrame:
    """LightGBM as the pipeline trains it."""
    specs = [spec for spec in models_named(["lightgbm"]) if spec.is_global]
    return train_global_models(
        panel, specs, training_id=TRAINING, snapshot_hash="", horizon=HORIZON, seed=1, n_jobs=cores
    )


def interval_scales(panel: Panel) -> pd.DataFrame:
    """Scales from the errors of window averages at one earlier origin: as large as the pipeline's own."""
    origin = panel.days - HORIZON
    mean = models_forecast(panel.until(origin, 0), "window_average")
    rows = np.flatnonzero(panel.first_day < origin)
    forecast = np.full((1, len(panel.keys), HORIZON), np.nan)
    forecast[0, rows] = mean
    classes = demand_classes(panel.units)[None, :]
    return scales_table(fit_interval_scales(panel.units[None, :, origin:], forecast, classes), panel.keys, TRAINING)


def models_forecast(panel: Panel, name: str) -> FloatArray:
    """What a local model of the registry says of a panel."""
    (spec,) = (spec for spec in models_named([name]) if spec.name == name)
    return spec.forecaster(0, 1, HORIZON).fit_panel(panel.without_drivers()).predict_panel(HORIZON)


def fitted_sums(panel: Panel) -> FittedChampions:
    """Theta fitted on every sum of the series; level and node stand in the place of product and channel."""
    sums = aggregate_panel(panel.without_drivers(), hierarchy_over(panel))
    keys = sums.keys.set_names([c.PRODUCT_ID, c.CHANNEL])
    statics = keys.to_frame(index=False).assign(**{c.CATEGORY: ""})
    chosen = keys.to_frame(index=False).assign(**{c.DEMAND_CLASS: "smooth", c.MODEL: "theta"})
    return fit_champions(replace(sums, keys=keys, statics=statics), chosen, pd.DataFrame(), training_id=TRAINING)


def stored_bytes(path: Path, fitted: FittedChampions, trained: pd.DataFrame, scales: pd.DataFrame) -> int:
    """The bytes of a file that holds nothing but the set: states and days, global models, scales of the quantiles."""
    warehouse = Warehouse(path)
    warehouse.replace_table("ops.fitted_champions", champions_to_table(fitted))
    warehouse.replace_table("ops.fitted_models", trained)
    warehouse.replace_table("ops.interval_scales", scales)
    return path.stat().st_size


def demand_rows(panel: Panel) -> pd.DataFrame:
    """The panel's days as rows of `gold.daily_demand`."""
    return _rows(panel, 0, panel.days).assign(**{c.UNITS: panel.units.ravel()})


def planned_rows(panel: Panel) -> pd.DataFrame:
    """The days after the panel's as rows of `gold.planned_drivers`."""
    return _rows(panel, panel.days, panel.future_days)


def _rows(panel: Panel, first: int, days: int) -> pd.DataFrame:
    values = {name: panel.drivers[name][:, first : first + days].ravel() for name in (*DRIVERS, EVENT_CODE)}
    names = np.array([*panel.event_names, None], dtype=object)
    dates = pd.date_range(panel.times[0], periods=first + days)[first:]
    return pd.DataFrame(
        {
            c.PRODUCT_ID: np.repeat(panel.keys.get_level_values(0).to_numpy(object), days),
            c.CHANNEL: np.repeat(panel.keys.get_level_values(1).to_numpy(object), days),
            c.DATE: np.tile(dates.to_numpy(), len(panel.keys)),
            **{name: values[name] for name in DRIVERS},
            c.EVENT_NAME: names[values[EVENT_CODE].astype(np.int64)],
        }
    )


def one_more_day(path: Path) -> tuple[dict[str, float], int, FloatArray]:
    """What is measured: seconds of each step, rows written, and what TSB alone says."""
    seconds: dict[str, float] = {}
    warehouse = Warehouse(path)
    fitted, sums, later, scales = _timed(seconds, "reading", lambda: read(warehouse))
    hierarchy, fitted, sums = _timed(seconds, "update", lambda: updated(fitted, sums, later))
    base = _timed(seconds, "forecast", lambda: base_forecasts(fitted, sums))
    series = _timed(seconds, "reconciliation", lambda: reconciled(hierarchy, base))
    table = _timed(seconds, "quantiles", lambda: published(fitted, series, scales))
    written = _timed(seconds, "writing", lambda: write(warehouse, fitted, sums, table))
    tsb = np.full(series.shape, np.nan)
    rows = np.flatnonzero(fitted.models == OTHER_CHAMPION)
    tsb[rows] = fitted.states["tsb"][rows, :1] * fitted.states["tsb"][rows, 3:]
    return seconds, written, tsb


def hierarchy_over(panel: Panel) -> Hierarchy:
    """The official levels; state and department stand in the names of stores and items."""
    store, item = panel.statics[c.CHANNEL], panel.statics[c.PRODUCT_ID]
    statics = panel.statics.assign(state=store.str[:2], department=item.str.rsplit("_", n=1).str[0])
    return hierarchy_of(statics, LEVELS)


def read(warehouse: Warehouse) -> tuple[FittedChampions, FittedChampions, Panel, pd.DataFrame]:
    """The set, the sums' own, the new day with the plans after it, and the scales."""
    trained = warehouse.read("select * from ops.fitted_models")
    later = panel_from_tables(
        warehouse.read(DAY_SQL),
        warehouse.read("select * from gold.planned_drivers"),
        warehouse.read("select * from silver.products"),
    )
    return (
        champions_from_table(warehouse.read("select * from ops.fitted_champions"), trained),
        champions_from_table(warehouse.read("select * from ops.fitted_sums"), trained),
        later,
        warehouse.read("select * from ops.interval_scales"),
    )


def updated(
    fitted: FittedChampions, sums: FittedChampions, later: Panel
) -> tuple[Hierarchy, FittedChampions, FittedChampions]:
    """Both sets after the new day, of which the sums get the sums."""
    after = fitted.updated(later)
    hierarchy = hierarchy_over(after.recent)
    added = aggregate_panel(latest(after.recent, later.days).without_drivers(), hierarchy)
    return hierarchy, after, sums.updated(replace(added, keys=sums.recent.keys, statics=sums.recent.statics))


def base_forecasts(fitted: FittedChampions, sums: FittedChampions) -> FloatArray:
    """What every node is forecast, sums first: (nodes, horizon)."""
    mean, _, _ = with_fallbacks(fitted.mean_units(HORIZON), fitted.models, fitted.recent.units)
    return np.concatenate([sums.mean_units(HORIZON), mean])


def reconciled(hierarchy: Hierarchy, base: FloatArray) -> FloatArray:
    """The series' forecasts that add up to what is nearest to all, never negative."""
    return minimum_trace(hierarchy, base, structural_variances(hierarchy))


def published(fitted: FittedChampions, mean: FloatArray, scales: pd.DataFrame) -> pd.DataFrame:
    """The rows of `gold.demand_forecasts`."""
    known, spreads = scales_from_table(scales, fitted.recent.keys)
    _, named, reasons = with_fallbacks(mean, fitted.models, fitted.recent.units)
    quantiles = known.quantiles(mean, fitted.classes, spreads)
    products = fitted.recent.keys.get_level_values(0)
    keys = dict(zip(products, products, strict=True))
    return forecast_table(fitted.recent, mean, quantiles, named, reasons, keys, "1")


def write(warehouse: Warehouse, fitted: FittedChampions, sums: FittedChampions, table: pd.DataFrame) -> int:
    """Write forecasts and both sets, and return how many rows."""
    warehouse.replace_table("gold.demand_forecasts", table, sql_types(c.DemandForecasts))
    sets = {"ops.fitted_champions": champions_to_table(fitted), "ops.fitted_sums": champions_to_table(sums)}
    for name, rows in sets.items():
        warehouse.replace_table(name, rows)
    return len(table) + sum(len(rows) for rows in sets.values())


def load_products(path: Path, number: int) -> tuple[float, float, float, float, float]:
    """Milliseconds to load a product with all its channels, median and 95 %; to open the file; to forecast it.

    The last are the CPU's for 95 % of the loads: on a shared machine a load of few milliseconds mostly waits.

    As who serves products does it: the file stays open, and LightGBM's text is read from it once.
    """
    warehouse = Warehouse(path)
    trained = warehouse.read("select * from ops.fitted_models")
    products = warehouse.read("select distinct product_id from ops.fitted_champions order by hash(product_id)")
    opening = [_seconds(lambda: warehouse.read("select 1")) for _ in range(WARM_UP)]
    loading, working, forecasting = [], [], []
    with warehouse.reading() as connection:
        for product in [*products[c.PRODUCT_ID].head(WARM_UP), *products[c.PRODUCT_ID].head(number)]:
            start, cpu_start = time.perf_counter(), time.process_time()
            found = connection.execute("select * from ops.fitted_champions where product_id = ?", [product])
            fitted = champions_from_table(found.fetchnumpy(), trained)
            loading.append(time.perf_counter() - start)
            working.append(time.process_time() - cpu_start)
            forecasting.append(_seconds(partial(fitted.mean_units, HORIZON)))
    load, work = 1000 * np.array(loading[WARM_UP:]), 1000 * np.array(working[WARM_UP:])
    opened, forecast = (1000 * float(np.median(seconds)) for seconds in (opening, forecasting))
    return float(np.median(load)), float(np.quantile(load, 0.95)), opened, forecast, float(np.quantile(work, 0.95))


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def refit(panel: Panel, cores: int) -> int:
    """What statsforecast does for a day more: fit the local models of each series anew, and forecast."""
    champions = given_champions(panel)
    is_regular = (champions[c.MODEL] == REGULAR_CHAMPION).to_numpy()
    return sum(
        len(
            StatsForecast(models=list(contenders), freq="D", n_jobs=cores).forecast(
                df=long_frame(panel.take(np.flatnonzero(rows))), h=HORIZON
            )
        )
        for rows, contenders in ((is_regular, peers_regular()), (~is_regular, [models.TSB(0.1, 0.05)]))
    )


def peers_regular() -> list[Any]:
    """Statsforecast's models of a regular series."""
    return [models.AutoETS(season_length=7, model="ZNZ"), models.DynamicOptimizedTheta(season_length=7)]


def what_statsforecast_keeps(panel: Panel) -> tuple[float, float]:
    """Bytes of a fitted series of theirs, and milliseconds to load it: the mean over a sample with full history."""
    full = np.flatnonzero(panel.first_day == 0)
    sample = full[np.linspace(0, len(full) - 1, SAMPLE).astype(np.int64)]
    fitted = [pickle.dumps([model.fit(row) for model in peers_regular()]) for row in panel.units[sample]]
    start = time.perf_counter()
    for stored in fitted:
        pickle.loads(stored)  # noqa: S301  (made here)
    seconds = time.perf_counter() - start
    return float(np.mean([len(stored) for stored in fitted])), 1000 * seconds / SAMPLE


def _timed[Result](seconds: dict[str, float], step: str, work: Callable[[], Result]) -> Result:
    start = time.perf_counter()
    result = work()
    seconds[step] = time.perf_counter() - start
    return result
