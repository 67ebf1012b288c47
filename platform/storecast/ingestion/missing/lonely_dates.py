"""Dates decades before all others, which are slips of the pen: one order of 2006 would make 20 years of zeros.

Rows are set aside where they lie more than two years before the next sale of the shop, on at most five days, and are at
most one in twenty of all sales. A row alone cannot be judged, so this looks at all rows each time files came: what is
no longer lonely goes back.
"""

from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.ingestion.contracts import ENTITIES, FIRST_MOMENT, silver_types
from storecast.ingestion.judging import reason, typed
from storecast.ingestion.sources.base import Source
from storecast.warehouse import Warehouse
from storecast.warehouse.database import insert_rows, quote

FEWEST_YEARS: Final = 2
MOST_DAYS: Final = 5
MOST_SHARE: Final = 0.05
YEAR: Final = 365.25
LIES_ALONE: Final = "lies alone"
IS_LONELY: Final = f"reasons LIKE '%'' {LIES_ALONE}, %'"
SALES: Final = {"order_lines": "ordered_at", "daily_sales": "date"}
"""What says when the shop sold, and the column."""
JUDGED: Final = {**SALES, "orders": "ordered_at"}
ROW: Final = ["entity", "file_sha256", "row_number"]


def set_aside_lonely_dates(warehouse: Warehouse, source: Source, now: datetime) -> int:
    """Bring the lonely rows of `ops.quarantine` up to date, and return their number.

    `now` (UTC) is noted as `quarantined_at` of those that come in.
    """
    days = warehouse.read(
        " UNION ALL ".join(
            f"SELECT _day, count(*) AS rows FROM ({_dated(entity, source)}) WHERE _day IS NOT NULL GROUP BY _day"
            for entity in SALES
        )
    )
    counts = days.groupby("_day")["rows"].sum().sort_index()
    begin = first_day_together(pd.to_datetime(counts.index).to_numpy(), counts.to_numpy())
    lonely = pd.concat([_lonely_rows(warehouse, source, entity, begin) for entity in JUDGED])
    stored = warehouse.read(f"SELECT {', '.join(ROW)} FROM ops.quarantine WHERE {IS_LONELY}")
    _store(warehouse, lonely.assign(quarantined_at=now), stored)
    return len(lonely)


def first_day_together(days: npt.NDArray[np.datetime64], rows: npt.NDArray[np.int64]) -> pd.Timestamp:
    """Return the first of the days that lie together: the first of all, where none is lonely.

    `days` rise, `rows` says how many rows each has.

    >>> days = np.array(["2006-10-14", "2026-08-01", "2026-08-02"], "datetime64[D]")
    >>> first_day_together(days, np.array([1, 30, 30]))
    Timestamp('2026-08-01 00:00:00')
    """
    steps = np.diff(days.astype("datetime64[D]")).astype(np.int64)
    before = np.cumsum(rows)[:-1]
    is_lonely = (
        (steps > FEWEST_YEARS * YEAR) & (np.arange(1, len(days)) <= MOST_DAYS) & (before <= MOST_SHARE * rows.sum())
    )
    places = np.flatnonzero(is_lonely)
    if not len(days):
        return FIRST_MOMENT
    return pd.Timestamp(days[places[-1] + 1 if len(places) else 0])


def _dated(entity: str, source: Source) -> str:
    """SQL of an entity's rows that nothing else keeps from silver, each with its day."""
    column = JUDGED[entity]
    moment = typed(column, silver_types(entity)[column], source.timezone)
    return f"""
        SELECT *, CAST({moment} AS DATE) AS _day
        FROM bronze.{entity}
        ANTI JOIN (
            SELECT file_sha256, row_number FROM ops.quarantine WHERE entity = '{entity}' AND NOT ({IS_LONELY})
            UNION ALL
            SELECT file_sha256, row_number FROM ops.withdrawn_rows WHERE entity = '{entity}'
        ) USING (file_sha256, row_number)
    """


def _lonely_rows(warehouse: Warehouse, source: Source, entity: str, begin: pd.Timestamp) -> pd.DataFrame:
    """The rows of an entity that lie before the day with which the shop begins, as quarantine holds them."""
    column, columns = JUDGED[entity], ENTITIES[entity].columns
    cells = ", ".join(f"{quote(name)} := {quote(name)}" for name in columns)
    rows = warehouse.read(
        f"SELECT source, file_sha256, row_number, _day AS lonely_day, {quote(column)} AS text, "
        f"coalesce(raw, CAST(to_json(struct_pack({cells})) AS VARCHAR)) AS raw "
        f"FROM ({_dated(entity, source)}) WHERE _day < ? ORDER BY file_sha256, row_number",
        [begin],
    )
    rows["reasons"] = [reason(column, row.text, _rule(row.lonely_day, begin)) for row in rows.itertuples()]
    return rows.drop(columns=["text", "lonely_day"]).assign(entity=entity)


def _rule(day: pd.Timestamp, begin: pd.Timestamp) -> str:
    years = (begin - pd.Timestamp(day)).days / YEAR
    return (
        f"{LIES_ALONE}, {years:.0f} years before the next sale on {begin:%Y-%m-%d}: correct the date in the file; "
        "if it is right, deliver the sales between too"
    )


def _store(warehouse: Warehouse, lonely: pd.DataFrame, stored: pd.DataFrame) -> None:
    """Write what came and take out what left, where anything did."""
    held, wanted = (pd.MultiIndex.from_frame(rows[ROW]) for rows in (stored, lonely))
    left, came = stored[~held.isin(wanted)], lonely[~wanted.isin(held)]
    if left.empty and came.empty:
        return
    with warehouse.writing() as connection:
        connection.register("left_rows", left)
        connection.execute(f"DELETE FROM ops.quarantine WHERE ({', '.join(ROW)}) IN (FROM left_rows)")
        insert_rows(connection, "ops.quarantine", came)
        connection.execute(
            "UPDATE ops.loads SET rows_quarantined = (SELECT count(*) FROM ops.quarantine AS kept "
            "WHERE kept.entity = loads.entity AND kept.file_sha256 = loads.file_sha256) "
            "WHERE rows_quarantined IS NOT NULL"
        )
