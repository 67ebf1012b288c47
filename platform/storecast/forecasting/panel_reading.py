"""Panels from the warehouse: in memory, or where they are too large for it read chunk by chunk into files.

Both ways give the same panel. What decides is the size of its matrices; the rows they are made of take a few times as
much for as long as they are read.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import (
    CHUNK_CELLS,
    DRIVERS,
    EVENT_CODE,
    FloatArray,
    Panel,
    panel_from_chunks,
    panel_from_tables,
)
from storecast.forecasting.rolling_panel import with_events_named
from storecast.forecasting.spilling import spill_folder
from storecast.forecasting.trainings import CATEGORIES_SQL
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.memory import give_back_memory

GIGABYTE: Final = 1024**3
CELL_BYTES: Final = 8 * len((c.UNITS, *DRIVERS, EVENT_CODE))
"""What a series takes a day: units and drivers."""
DRIVER_COLUMNS: Final = ", ".join((c.PRODUCT_ID, c.CHANNEL, c.DATE, *DRIVERS, c.EVENT_NAME))
EVERY_PRODUCT: Final = "true"
OF_KEYS: Final = (
    "product_id in (select product_id from ops.product_partitions where partition_key in (select unnest($keys)))"
)
OF_PRODUCTS: Final = "product_id in (select unnest($products))"
EXTENT_SQL: Final = """
    with
    demand as (select product_id, channel, date, event_name from gold.daily_demand where {where}),
    series as (select distinct product_id, channel from demand),
    days as (select min(date) as first_date, max(date) as last_date from demand),
    planned as (
        select date, event_name from gold.planned_drivers semi join series using (product_id, channel)
        where {where} and date > (select last_date from days)
    ),
    names as (select event_name from demand union select event_name from planned)
    select
        first_date,
        last_date,
        coalesce((select max(date) from planned), last_date) as last_planned_date,
        (select count(*) from series) as series,
        coalesce((select list(event_name) from names where event_name is not null), []) as event_names
    from days
"""


@dataclass(frozen=True)
class Extent:
    """What the chunks of a panel have in common: its days and event names; and how large it is."""

    first_day: pd.Timestamp
    last_day: pd.Timestamp
    last_planned_day: pd.Timestamp
    series: int
    event_names: tuple[str, ...]

    @property
    def days(self) -> int:
        """The number of days of history."""
        return (self.last_day - self.first_day).days + 1

    @property
    def gigabytes(self) -> float:
        """What the panel's matrices take."""
        days = (self.last_planned_day - self.first_day).days + 1
        return self.series * days * CELL_BYTES / GIGABYTE


@contextmanager
def open_panel(warehouse: Warehouse, shop: Settings, keys: Sequence[str] | None = None) -> Iterator[Panel]:
    """The panel of all series, or of those in some partitions, for as long as it is used.

    One that is larger than the setting `panel_memory_gb` is spilled to a folder below the data folder, which is removed
    in the end.
    """
    extent = extent_of(warehouse, keys)
    if extent is None or extent.gigabytes <= shop.panel_memory_gb:
        panel = _read(warehouse, *_of(keys))
        give_back_memory()  # the rows that it was made of, several times its size
        yield panel
        return
    with spill_folder(shop.panels_dir) as folder:
        yield panel_from_chunks(_chunks(warehouse, extent, keys), folder)


def extent_of(warehouse: Warehouse, keys: Sequence[str] | None = None) -> Extent | None:
    """The extent of the panel of all series, or of those in some partitions; None where there are none."""
    where, parameters = _of(keys)
    found = warehouse.read(EXTENT_SQL.format(where=where), parameters).iloc[0]
    if not found["series"]:
        return None
    first, last, planned = (pd.Timestamp(found[name]) for name in ("first_date", "last_date", "last_planned_date"))
    return Extent(first, last, planned, int(found["series"]), tuple(sorted(found["event_names"])))


def key_chunks(warehouse: Warehouse, shop: Settings, keys: Sequence[str]) -> list[list[str]]:
    """Partition keys in their order, cut so that the panel of each chunk is within the setting `panel_memory_gb`.

    A key whose panel alone is larger is a chunk of its own.
    """
    extent = extent_of(warehouse, keys)
    if extent is None or extent.gigabytes <= shop.panel_memory_gb:
        return [list(keys)]
    sizes = warehouse.read(
        "select partition_key, count(distinct (product_id, channel)) as series from gold.daily_demand "
        f"inner join ops.product_partitions using (product_id) where {OF_KEYS} group by partition_key",
        {"keys": list(keys)},
    )
    series = dict(zip(sizes[c.PARTITION_KEY], sizes[c.SERIES], strict=True))
    return _cut(list(keys), series, int(shop.panel_memory_gb / extent.gigabytes * extent.series))


def _cut(names: Sequence[str], series: Mapping[str, int], most: int) -> list[list[str]]:
    """Names cut into chunks of at most so many series, or of one name.

    >>> _cut(["a", "b", "c", "d"], {"a": 1, "b": 2, "c": 5, "d": 1}, 3)
    [['a', 'b'], ['c'], ['d']]
    """
    chunks: list[list[str]] = []
    room = 0
    for name in names:
        if not chunks or series.get(name, 0) > room:
            chunks.append([])
            room = most
        chunks[-1].append(name)
        room -= series.get(name, 0)
    return chunks


def _of(keys: Sequence[str] | None) -> tuple[str, dict[str, Any]]:
    return (EVERY_PRODUCT, {}) if keys is None else (OF_KEYS, {"keys": list(keys)})


def _read(warehouse: Warehouse, where: str, parameters: Mapping[str, Any]) -> Panel:
    """The panel of some products, in memory."""
    return panel_from_tables(
        warehouse.read_encoded(
            f"select {DRIVER_COLUMNS}, units, is_in_stock, is_recorded from gold.daily_demand where {where}", parameters
        ),
        warehouse.read(f"select {DRIVER_COLUMNS} from gold.planned_drivers where {where}", parameters),
        warehouse.read(f"{CATEGORIES_SQL} where {where}", parameters),
    )


def _chunks(warehouse: Warehouse, extent: Extent, keys: Sequence[str] | None) -> Iterator[Panel]:
    """The panel's series, some products at a time in the order of their text."""
    where, parameters = _of(keys)
    channels = "select product_id, count(distinct channel) as series from gold.daily_demand"
    sizes = warehouse.read(f"{channels} where {where} group by product_id", parameters)
    series = dict(zip(sizes[c.PRODUCT_ID], sizes[c.SERIES], strict=True))
    for products in _cut(sorted(series), series, CHUNK_CELLS // extent.days):
        yield on_common_days(_read(warehouse, OF_PRODUCTS, {"products": products}), extent)


def on_common_days(chunk: Panel, extent: Extent) -> Panel:
    """A chunk of a panel with the days and event names of the whole, blank where it has none.

    Raises `ValueError` where the chunk does not reach the last day.
    """
    if chunk.times[-1] != extent.last_day:
        raise ValueError(
            f"series {chunk.keys[0]!r} and those after it end on {chunk.times[-1]:%Y-%m-%d}, others on "
            f"{extent.last_day:%Y-%m-%d}: pass a table without gaps up to one common last day"
        )
    before = extent.days - chunk.days
    columns = extent.days + (extent.last_planned_day - extent.last_day).days
    named = with_events_named(chunk, extent.event_names)

    def wide(values: FloatArray, width: int) -> FloatArray:
        return np.pad(values, ((0, 0), (before, width - before - values.shape[1])), constant_values=np.nan)

    flags = chunk.is_in_stock
    return replace(
        named,
        times=pd.date_range(extent.first_day, periods=extent.days, name=c.DATE),
        units=wide(chunk.units, extent.days),
        drivers={name: wide(driver, columns) for name, driver in named.drivers.items()},
        is_in_stock=None if flags is None else np.pad(flags, ((0, 0), (before, 0)), constant_values=True),
    )
