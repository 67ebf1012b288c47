"""A panel of daily series as matrices: what every forecaster of this room works on.

A long table is turned into matrices once, at the edge; from there on a forecaster is a function of whole columns of
series. One rule on knowledge lives here and nowhere else: `Panel.until` hands out what is known at an origin.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.spilling import MatrixFiles, is_file, rows_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

PRICE_DRIVERS = (c.UNIT_PRICE, c.IS_ON_PROMOTION, c.DISCOUNT_SHARE)
DRIVERS = (*PRICE_DRIVERS, c.IS_PRICE_PLANNED, c.HAS_EVENT)
EVENT_CODE = "event_code"
UNKNOWN = "unknown"
CHUNK_CELLS: Final = 2_000_000
"""Series times days that are worked on at once: 16 MB a matrix, and a few dozen matrices of features."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Series of equal last day, side by side.

    `units` has one row a series and one column a day, NaN before the series' first day and where nothing was recorded
    of a day, until the panel `is_unconstrained`. Each driver has the same rows and `future_days` columns more. `keys`
    names the rows, `statics` describes them, `times` names the columns of `units`. `event_code` in `drivers` points
    into `event_names`; -1 is no event.

    `is_in_stock`, shaped as `units`, is false where a day ended sold out, or was not recorded to its end: its units are
    sales, and demand was at least that; once the panel `is_unconstrained`, they are an estimate of demand. Without it
    the units of every day are demand.

    A panel that memory does not hold is spilled: its matrices are files of a `folder`, and so are those of what is made
    of it. Whoever goes through its `chunks`, of about `chunk_cells` series times days, needs memory for one of them.
    """

    keys: pd.MultiIndex
    times: pd.Index
    units: FloatArray
    drivers: Mapping[str, FloatArray] = field(default_factory=dict)
    statics: pd.DataFrame = field(default_factory=pd.DataFrame)
    event_names: tuple[str, ...] = ()
    is_in_stock: BoolArray | None = None
    is_unconstrained: bool = False
    chunk_cells: int = CHUNK_CELLS
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.units.shape != (len(self.keys), len(self.times)):
            raise ValueError(
                f"units has shape {self.units.shape}, but keys and times name "
                f"{(len(self.keys), len(self.times))}: pass one row a series and one column a day"
            )
        if self.is_in_stock is not None and self.is_in_stock.shape != self.units.shape:
            raise ValueError(
                f"is_in_stock has shape {self.is_in_stock.shape}, but units {self.units.shape}: pass one flag for each"
            )

    @property
    def days(self) -> int:
        """The number of days of history."""
        return self.units.shape[1]

    @property
    def first_day(self) -> IntArray:
        """The column of each series' first day."""
        first = np.empty(len(self.keys), dtype=np.int64)
        for rows, part in self.without_drivers().chunks():
            first[rows] = np.argmax(~np.isnan(part.units), axis=1)
        return first

    @property
    def has_begun(self) -> BoolArray:
        """Where a series has had its first day, (series, days)."""
        return np.maximum.accumulate(~np.isnan(self.units), axis=1)

    @property
    def is_sold_out(self) -> BoolArray:
        """Where a day of a series ended sold out, or was not recorded, (series, days)."""
        if self.is_in_stock is None:
            return np.zeros(self.units.shape, np.bool_)
        return ~self.is_in_stock & self.has_begun

    @property
    def counted_units(self) -> FloatArray:
        """Units that are demand: NaN also where a day was sold out or not recorded: no forecast is held against it."""
        return self.units if self.is_in_stock is None else np.where(self.is_in_stock, self.units, np.nan)

    @property
    def future_days(self) -> int:
        """The number of days after the last one for which drivers are known."""
        return max((driver.shape[1] for driver in self.drivers.values()), default=self.days) - self.days

    @property
    def chunk_series(self) -> int:
        """About so many series are worked on at once."""
        return max(self.chunk_cells // max(self.days, 1), 1)

    @property
    def is_spilled(self) -> bool:
        """Whether the matrices are files."""
        return self.folder is not None and is_file(self.units)

    def take(self, rows: IntArray | BoolArray | slice) -> Self:
        """The panel of some of the series, in the order of `rows`: of a spilled one more than a chunk is spilled."""
        if self.folder is not None and self.is_spilled:
            chosen, size = np.arange(len(self.keys))[rows], self.chunk_series
            if len(chosen) > size:
                parts = (self._held(chosen[start : start + size]) for start in range(0, len(chosen), size))
                return panel_from_chunks(parts, self.folder)
        return self._held(rows)

    def _held(self, rows: IntArray | BoolArray | slice) -> Self:
        """The panel of some of the series, in memory."""
        return replace(
            self,
            keys=self.keys[rows],
            units=rows_of(self.units, rows),
            drivers={name: rows_of(driver, rows) for name, driver in self.drivers.items()},
            statics=self.statics.iloc[np.arange(len(self.keys))[rows]] if len(self.statics) else self.statics,
            is_in_stock=None if self.is_in_stock is None else rows_of(self.is_in_stock, rows),
            folder=None,
        )

    def chunks(self) -> Iterator[tuple[slice, Self]]:
        """Consecutive series, each chunk in memory, with the rows they have here; a product's series stay together."""
        series = len(self.keys)
        is_new = np.ones(series + 1, dtype=np.bool_)
        if c.PRODUCT_ID in self.statics and series:
            product = self.statics[c.PRODUCT_ID].to_numpy()
            is_new[1:-1] = product[1:] != product[:-1]
        ends, start = np.flatnonzero(is_new), 0
        while start < series:
            next_one, last_fitting = np.searchsorted(ends, [start, start + self.chunk_series], side="right")
            rows = slice(start, int(ends[max(next_one, last_fitting - 1)]))
            yield rows, self._held(rows)
            start = rows.stop

    def mapped(self, function: Callable[[Self], Self]) -> Self:
        """What a function makes of the panel: of a spilled one chunk by chunk, and spilled again."""
        if self.folder is None or not self.is_spilled:
            return function(self)
        return panel_from_chunks((function(part) for _, part in self.chunks()), self.folder)

    def with_units(self, units: FloatArray) -> Self:
        """The panel with other units."""
        return replace(self, units=units)

    def without_drivers(self) -> Self:
        """The panel for forecasters that use units alone: drivers are most of what taking and cutting would copy."""
        return replace(self, drivers={}, event_names=())

    def with_drivers(self, drivers: Mapping[str, FloatArray]) -> Self:
        """The panel with other drivers."""
        return replace(self, drivers=drivers)

    def until(self, days: int, horizon: int) -> Self:
        """What is known at the end of day `days`, with drivers for `horizon` days more.

        Series whose first day is later are left out. After the origin a price or promotion counts only where
        `is_price_planned`; elsewhere the last known price goes on and there is no promotion. Events are known always.
        """
        if not 0 < days <= self.days:
            raise ValueError(f"days is {days}: pass an origin between 1 and {self.days}, the days of the panel")
        return self.mapped(lambda part: part._known(days, horizon))

    def _known(self, days: int, horizon: int) -> Self:
        has_begun = self.first_day < days
        known = self if has_begun.all() else self.take(has_begun)
        return replace(
            known,
            times=self.times[:days],
            units=known.units[:, :days],
            drivers=_known_drivers(known.drivers, days, horizon),
            is_in_stock=None if known.is_in_stock is None else known.is_in_stock[:, :days],
        )


def panel_from_chunks[Chunk: Panel](chunks: Iterable[Chunk], folder: Path) -> Chunk:
    """Spill a panel that never was in memory as a whole: its chunks of series, in their order, into files of a folder.

    The series of a product are in one chunk. Raises `ValueError` where there is no chunk, or one has other times,
    drivers or event names than the first.
    """
    files, heads = MatrixFiles(folder), []
    for chunk in chunks:
        flags = np.ones(chunk.units.shape, np.bool_) if chunk.is_in_stock is None else chunk.is_in_stock
        common = (list(chunk.times), chunk.event_names)
        files.append({c.UNITS: chunk.units, c.IS_IN_STOCK: flags, **chunk.drivers}, common)
        heads.append((chunk.keys, chunk.statics, chunk.is_in_stock is not None, chunk.is_unconstrained))
    if not heads:
        raise ValueError("chunks is empty: pass at least one panel")
    keys, statics, has_flags, is_unconstrained = zip(*heads, strict=True)
    matrices = files.mapped()
    units, flags = matrices.pop(c.UNITS), matrices.pop(c.IS_IN_STOCK)
    return replace(
        chunk,
        keys=keys[0].append(list(keys[1:])),
        statics=pd.concat(statics, ignore_index=True),
        units=units,
        is_in_stock=flags if any(has_flags) else None,
        drivers=matrices,
        is_unconstrained=any(is_unconstrained),
        folder=folder,
    )


def _known_drivers(drivers: Mapping[str, FloatArray], days: int, horizon: int) -> dict[str, FloatArray]:
    """Drivers up to `days` + `horizon`, without what nobody could know at `days`."""
    if not drivers:
        return {}
    cut = {name: _widened(driver, days + horizon, name) for name, driver in drivers.items()}
    if c.UNIT_PRICE not in cut:
        return cut
    last_price = last_known(cut[c.UNIT_PRICE][:, :days])[:, None]
    planned = np.nan_to_num(cut[c.IS_PRICE_PLANNED][:, days:]) > 0 if c.IS_PRICE_PLANNED in cut else np.False_
    resting: dict[str, FloatArray | float] = {c.UNIT_PRICE: last_price, c.IS_ON_PROMOTION: 0.0, c.DISCOUNT_SHARE: 0.0}
    for name in cut.keys() & resting.keys():
        future = cut[name][:, days:]
        known = np.where(planned & ~np.isnan(future), future, resting[name])
        cut[name] = np.hstack([cut[name][:, :days], known])
    return cut


def _widened(driver: FloatArray, columns: int, name: str) -> FloatArray:
    """Exactly `columns` columns of a driver; days beyond its own are unknown (no event for events)."""
    missing = columns - driver.shape[1]
    if missing <= 0:
        return driver[:, :columns]
    blank = -1.0 if name == EVENT_CODE else 0.0 if name == c.HAS_EVENT else np.nan
    return np.hstack([driver, np.full((len(driver), missing), blank)])


def carried_forward(values: FloatArray) -> FloatArray:
    """Each row with its gaps filled by the last value before them.

    >>> carried_forward(np.array([[np.nan, 2.0, np.nan, 3.0]]))
    array([[nan,  2.,  2.,  3.]])
    """
    seen = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    return np.take_along_axis(values, np.maximum.accumulate(seen, axis=1), axis=1)


def last_known(values: FloatArray) -> FloatArray:
    """The last value of each row, NaN where it has none.

    >>> last_known(np.array([[np.nan, 2.0, np.nan], [np.nan, np.nan, np.nan]]))
    array([ 2., nan])
    """
    last = values.shape[1] - 1 - np.argmax(~np.isnan(values[:, ::-1]), axis=1)
    return np.asarray(values[np.arange(len(values)), last])


def panel_from_tables(
    daily_demand: pd.DataFrame,
    planned_drivers: pd.DataFrame | None = None,
    products: pd.DataFrame | None = None,
) -> Panel:
    """Make the panel of `gold.daily_demand`, with `gold.planned_drivers` as its future and products' categories.

    Rows come in the order of (product_id, channel), compared as text. Raises `ValueError` where a series has a gap or
    does not reach the last day of the table.
    """
    if daily_demand.empty:
        raise ValueError("daily_demand has no rows: load sales before forecasting")
    dates = _as_days(daily_demand[c.DATE])
    first, last = dates.min(), dates.max()
    rows, keys = series_of(daily_demand)
    units = _scatter(rows, dates - first, daily_demand[c.UNITS], (len(keys), last - first + 1))
    _check_dense(units, keys)
    flags = _stock_flags(daily_demand, rows, dates - first, units.shape)
    if c.IS_RECORDED in daily_demand and not daily_demand[c.IS_RECORDED].all():
        is_recorded = _scatter(rows, dates - first, daily_demand[c.IS_RECORDED].astype(np.float64), units.shape) != 0
        units[~is_recorded & (units == 0)] = np.nan
        flags = is_recorded if flags is None else flags & is_recorded
    future = _planned_rows(planned_drivers, keys, last)
    drivers, event_names = _drivers(daily_demand, future, rows, dates - first, units.shape)
    return Panel(
        keys=keys,
        times=pd.date_range(pd.Timestamp(int(first), unit="D"), periods=units.shape[1], name=c.DATE),
        units=units,
        drivers=drivers,
        statics=_statics(keys, products),
        event_names=event_names,
        is_in_stock=flags,
    )


def _as_days(dates: pd.Series) -> IntArray:
    """Days since 1970-01-01."""
    return pd.to_datetime(dates).to_numpy().astype("datetime64[D]").astype(np.int64)


def series_of(table: pd.DataFrame) -> tuple[IntArray, pd.MultiIndex]:
    """For each row its series' number, and the series' keys in the order of their text."""
    product_codes, product_ids = _numbered(table[c.PRODUCT_ID])
    channel_codes, channels = _numbered(table[c.CHANNEL])
    combined = product_codes.astype(np.int64) * len(channels) + channel_codes
    present, rows = np.unique(combined, return_inverse=True)
    keys = pd.MultiIndex.from_arrays(
        [np.asarray(product_ids)[present // len(channels)], np.asarray(channels)[present % len(channels)]],
        names=[c.PRODUCT_ID, c.CHANNEL],
    )
    return rows.astype(np.int64), keys


def _numbered(texts: pd.Series) -> tuple[IntArray, pd.Index]:
    """Each text's number and the texts, sorted; pandas would leave categories in the order they were met in."""
    if isinstance(texts.dtype, pd.CategoricalDtype):
        texts = texts.cat.reorder_categories(sorted(texts.cat.categories))
    codes, unique = pd.factorize(texts, sort=True)
    return codes.astype(np.int64), pd.Index(unique)


def _scatter(rows: IntArray, columns: IntArray, values: pd.Series, shape: tuple[int, int]) -> FloatArray:
    matrix = np.full(shape, np.nan)
    matrix[rows, columns] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return matrix


def _stock_flags(demand: pd.DataFrame, rows: IntArray, columns: IntArray, shape: tuple[int, int]) -> BoolArray | None:
    """False where a day ended sold out; None where no day did, or nothing is known of stocks."""
    if c.IS_IN_STOCK not in demand or demand[c.IS_IN_STOCK].all():
        return None
    return _scatter(rows, columns, demand[c.IS_IN_STOCK].astype(np.float64), shape) != 0


def _check_dense(units: FloatArray, keys: pd.MultiIndex) -> None:
    """Raise where a series, once begun, misses a day."""
    missing = np.isnan(units)
    gaps = missing & np.maximum.accumulate(~missing, axis=1)
    if gaps.any():
        row = int(np.argmax(gaps.any(axis=1)))
        raise ValueError(
            f"series {keys[row]!r} has no {c.UNITS} on {int(gaps[row].sum())} day(s) after its first one: "
            "pass a table without gaps up to one common last day"
        )


def _planned_rows(
    planned: pd.DataFrame | None, keys: pd.MultiIndex, last: int
) -> tuple[pd.DataFrame, IntArray, IntArray] | None:
    """Rows of planned drivers that belong to a known series, with series number and days after the last."""
    if planned is None or planned.empty:
        return None
    rows = keys.get_indexer(pd.MultiIndex.from_frame(planned[[c.PRODUCT_ID, c.CHANNEL]]))
    ahead = _as_days(planned[c.DATE]) - last
    kept = (rows >= 0) & (ahead > 0)
    return planned[kept], rows[kept].astype(np.int64), ahead[kept]


def _drivers(
    demand: pd.DataFrame,
    future: tuple[pd.DataFrame, IntArray, IntArray] | None,
    rows: IntArray,
    columns: IntArray,
    shape: tuple[int, int],
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    """Driver matrices over history and future, and the names behind the event codes."""
    ahead = int(future[2].max()) if future is not None and len(future[2]) else 0
    wide = (shape[0], shape[1] + ahead)
    later = [] if future is None else future[0][c.EVENT_NAME].dropna().unique()
    names = sorted({*demand[c.EVENT_NAME].dropna().unique(), *later})
    drivers: dict[str, FloatArray] = {}
    for name in (*DRIVERS, EVENT_CODE):
        matrix = _scatter(rows, columns, _driver_values(demand, name, names), wide)
        if future is not None and ahead:
            matrix[future[1], shape[1] - 1 + future[2]] = _driver_values(future[0], name, names)
        drivers[name] = matrix
    return drivers, tuple(names)


def _driver_values(table: pd.DataFrame, name: str, event_names: list[str]) -> pd.Series:
    if name == EVENT_CODE:
        return pd.Series(pd.Categorical(table[c.EVENT_NAME], categories=event_names).codes.astype(np.float64))
    return table[name].astype(np.float64)


def _statics(keys: pd.MultiIndex, products: pd.DataFrame | None) -> pd.DataFrame:
    """Product, channel and category of each series; a product without a category is in `unknown`."""
    statics = keys.to_frame(index=False)
    if products is None:
        return statics.assign(**{c.CATEGORY: UNKNOWN})
    categories = products.drop_duplicates(c.PRODUCT_ID).set_index(c.PRODUCT_ID)[c.CATEGORY]
    return statics.assign(**{c.CATEGORY: statics[c.PRODUCT_ID].map(categories).fillna(UNKNOWN).to_numpy()})
