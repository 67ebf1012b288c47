"""From sktime's frames to panels: the way in for a forecaster that is used as an sktime estimator."""

from dataclasses import replace

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import DRIVERS, BoolArray, FloatArray, IntArray, Panel

ONLY_SERIES = "series"


def panel_from_frames(y: pd.DataFrame, X: pd.DataFrame | None = None) -> Panel:  # noqa: N803
    """Make a panel of a multi-index frame: the last level is time, those before it name the series.

    Columns of `X` with the names of `panel.DRIVERS` become drivers, others are not used; as `X` is known in advance
    by sktime's rule, its prices count as planned unless it says otherwise. Its column `is_in_stock`, if it has one, is
    the panel's. Raises `ValueError` where series end at different times or lack one.
    """
    y = _with_series_level(y)
    rows, keys = _series_of(y.index)
    times = _times_of(y.index)
    units = _matrix(y.iloc[:, 0], rows, times.get_indexer(y.index.get_level_values(-1)), (len(keys), len(times)))
    begun = np.maximum.accumulate(~np.isnan(units), axis=1)
    if (np.isnan(units) & begun).any():
        raise ValueError(
            "y has a series with a time missing after its first: pass series without gaps and of equal end"
        )
    X = None if X is None else _with_series_level(X)  # noqa: N806
    return Panel(
        keys=keys,
        times=times,
        units=units,
        drivers={} if X is None else _drivers_of(X, keys, times),
        statics=keys.to_frame(index=False),
        is_in_stock=None if X is None else _stock_flags_of(X, keys, times),
    )


def with_future(panel: Panel, X: pd.DataFrame | None) -> Panel:  # noqa: N803
    """The panel with drivers for the times after its last, from a frame like the one it was made with."""
    if X is None or not panel.drivers:
        return panel
    X = _with_series_level(X)  # noqa: N806
    times = _times_of(X.index)
    ahead = _drivers_of(X, panel.keys, times[times > panel.times[-1]])
    drivers = {name: np.hstack([driver[:, : panel.days], ahead[name]]) for name, driver in panel.drivers.items()}
    return replace(panel, drivers=drivers)


def followed_by(panel: Panel, later: Panel) -> Panel:
    """The panel with the days of `later` that come after its last one; series are those of the panel.

    Raises `ValueError` where `later` lacks one of the series.
    """
    rows = later.keys.get_indexer(panel.keys)
    if (rows < 0).any():
        raise ValueError(
            f"y lacks series {panel.keys[int(np.argmin(rows))]!r}: update with all series that were fitted"
        )
    new = later.times > panel.times[-1]
    known = {name: driver[:, : panel.days] for name, driver in panel.drivers.items()}
    drivers = {name: np.hstack([driver, later.drivers[name][rows][:, new]]) for name, driver in known.items()}
    return replace(
        panel,
        times=panel.times.append(later.times[new]),
        units=np.hstack([panel.units, later.units[rows][:, new]]),
        drivers=drivers,
        is_in_stock=_flags_followed_by(panel, later, rows, new),
        is_unconstrained=False,
    )


def _flags_followed_by(panel: Panel, later: Panel, rows: IntArray, new: BoolArray) -> BoolArray:
    """Where a day was in stock; days whose demand was estimated before stay as they were estimated."""
    before = panel.is_sold_out & (not panel.is_unconstrained)
    after = np.ones(later.units.shape, np.bool_) if later.is_in_stock is None else later.is_in_stock
    return np.hstack([~before, after[rows][:, new]])


def _with_series_level(frame: pd.DataFrame) -> pd.DataFrame:
    """A single series as a panel of one."""
    return frame if isinstance(frame.index, pd.MultiIndex) else pd.concat({ONLY_SERIES: frame})


def _series_of(index: pd.MultiIndex) -> tuple[IntArray, pd.MultiIndex]:
    """For each row its series' number, and the series' keys in order of appearance."""
    combined = np.zeros(len(index), dtype=np.int64)
    for codes, level in zip(index.codes[:-1], index.levels[:-1], strict=True):
        combined = combined * len(level) + codes
    _, first, rows = np.unique(combined, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    keys = pd.MultiIndex.from_arrays(
        [index.get_level_values(place)[np.sort(first)] for place in range(index.nlevels - 1)], names=index.names[:-1]
    )
    return order[rows], keys


def _times_of(index: pd.MultiIndex) -> pd.Index:
    return index.levels[-1][np.unique(index.codes[-1])].sort_values()


def _matrix(values: pd.Series, rows: IntArray, columns: IntArray, shape: tuple[int, int]) -> FloatArray:
    matrix = np.full(shape, np.nan)
    kept = (rows >= 0) & (columns >= 0)
    matrix[rows[kept], columns[kept]] = values.to_numpy(np.float64)[kept]
    return matrix


def _drivers_of(X: pd.DataFrame, keys: pd.MultiIndex, times: pd.Index) -> dict[str, FloatArray]:  # noqa: N803
    """The drivers among the columns of `X` on some times, NaN where it has no row."""
    drivers = _columns_of(X, DRIVERS, keys, times)
    if drivers and c.IS_PRICE_PLANNED not in drivers:
        drivers[c.IS_PRICE_PLANNED] = np.ones((len(keys), len(times)))
    return drivers


def _stock_flags_of(X: pd.DataFrame, keys: pd.MultiIndex, times: pd.Index) -> BoolArray | None:  # noqa: N803
    """What `X` says of stocks, true where it has no row; None where it says nothing."""
    found = _columns_of(X, (c.IS_IN_STOCK,), keys, times)
    return found[c.IS_IN_STOCK] != 0 if found else None


def _columns_of(
    X: pd.DataFrame,  # noqa: N803
    names: tuple[str, ...],
    keys: pd.MultiIndex,
    times: pd.Index,
) -> dict[str, FloatArray]:
    own_rows, own_keys = _series_of(X.index)
    rows = keys.get_indexer(own_keys)[own_rows]
    columns = times.get_indexer(X.index.get_level_values(-1))
    shape = (len(keys), len(times))
    return {name: _matrix(X[name], rows, columns, shape) for name in names if name in X.columns}
