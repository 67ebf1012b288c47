"""What is learned anew of a series that drifted: at which level its history is to be read.

Local models are fitted to the newest days with every forecast, and global ones read them as lags: what a drifted series
lacks is not a fit but days at the new level, since every model looks weeks back. So the history before the change is
multiplied by what the level is since over what the champion, asked on the day before, expects of it:

    factor = (sold + PRIOR) / (expected + PRIOR),

sold and expected over the days since, up to a horizon. The errors of the single days tell its standard error. It counts
where it lies clearly from 1, and where half of the days since show it: with the factor that the first half gives, the
champion has to miss the second half by less than without. A wrong factor costs as much as a right one saves.

Measured on M5 (`benchmarks/replay.py` tells how): 14 days after a level halved it takes away nearly all that the change
costs. Neither another champion, nor a history cut at the change, nor spreads of the days since came near, and nothing
helped where the week's pattern moved.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting import retraining_contracts as r
from storecast.forecasting.panel import BoolArray, FloatArray, IntArray, Panel
from storecast.monitoring import contracts as m

PRIOR_UNITS: Final = 20.0
DEVIATIONS: Final = 3.0
"""So many standard errors a factor is to lie from 1."""
FEWEST_DAYS: Final = 7
LARGEST_RATIO: Final = 0.9
"""Error with a factor over error without it that is a clear gain."""
LARGEST_FACTOR: Final = 4.0
"""A level that moved farther either way is a stop, a start or an order, and no level to rescale years by."""
KEPT_DAYS: Final = 56
"""So long after a change its factor counts; by then no model's window reaches before it."""

Forecast = Callable[[Panel], FloatArray]


def retrain(panel: Panel, requests: pd.DataFrame, forecast: Forecast, horizon: int) -> pd.DataFrame:
    """The rows of `ops.retrained_series` of the series of `requests`, whose change is not after the panel's last day.

    `forecast` gives the champions' means (series, horizon) of a panel. Raises `ValueError` where the panel lacks one of
    the series.
    """
    rows = panel.keys.get_indexer(pd.MultiIndex.from_frame(requests[[c.PRODUCT_ID, c.CHANNEL]]))
    if (rows < 0).any():
        missing = requests.iloc[int(np.argmax(rows < 0))]
        raise ValueError(f"panel lacks product {missing[c.PRODUCT_ID]!r} in {missing[c.CHANNEL]!r}: pass its partition")
    days = panel.times.get_indexer(pd.to_datetime(requests[r.CHANGE_DATE]))
    factors, errors, ratios = (np.full(len(rows), value) for value in (1.0, np.nan, np.nan))
    for day, places in _by_change(panel, rows, days):
        judged = _judged(panel.take(rows[places]), day, forecast, horizon)
        factors[places], errors[places], ratios[places] = judged
    is_moved = is_clear(factors, errors, ratios) & (requests[r.KINDS] != m.SEASON).to_numpy()
    columns = [name for name in r.RetrainedSeries.to_schema().columns if name in requests]
    return requests[columns].assign(
        **{
            c.ORIGIN_DATE: panel.times[-1],
            r.LEVEL_FACTOR: np.where(is_moved, factors, 1.0),
            r.STANDARD_ERROR: errors,
            r.ERROR_RATIO: ratios,
            c.REASON: [_reason(*judged) for judged in zip(factors, errors, ratios, is_moved, strict=True)],
        }
    )


def _by_change(panel: Panel, rows: IntArray, days: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Each day of a change that can be judged, with the places of its series: enough days on both sides of it."""
    is_judged = (days - panel.first_day[rows] >= FEWEST_DAYS) & (panel.days - days >= FEWEST_DAYS)
    for day in np.unique(days[is_judged]):
        yield int(day), np.flatnonzero(is_judged & (days == day))


def _judged(panel: Panel, day: int, forecast: Forecast, horizon: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Factor, its standard error, and error with it over error without on the second half of the days since `day`."""
    sold, expected = panel.counted_units[:, day : day + horizon], forecast(panel.until(day, horizon))
    half = day + (panel.days - day) // 2
    first, _ = level_factors(sold[:, : half - day], expected)
    until_half, rest = panel.until(half, horizon), panel.counted_units[:, half : half + horizon]
    units = np.array(until_half.units)
    units[:, :day] *= first[:, None]
    missed = [
        np.nansum(np.abs(forecast(known)[:, : rest.shape[1]] - rest), axis=1)
        for known in (until_half.with_units(units), until_half)
    ]
    factors, errors = level_factors(sold, expected)
    return factors, errors, missed[0] / np.where(missed[1] > 0, missed[1], np.nan)


def level_factors(sold: FloatArray, expected: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The level since a change over the level before it, and its standard error, both a series.

    `sold` (series, days) is NaN where a day does not count; `expected` (series, at least so many days). The variance of
    a day's error after the factor is that of all its days.

    >>> sold, expected = np.full((1, 14), 5.0), np.full((1, 28), 10.0)
    >>> factor, error = level_factors(sold, expected)
    >>> float(factor[0]), round(float(error[0]), 4)
    (0.5625, 0.0146)
    """
    counts = ~np.isnan(sold)
    since = np.where(counts, sold, 0.0)
    said = np.where(counts, expected[:, : sold.shape[1]], 0.0)
    total = said.sum(axis=1) + PRIOR_UNITS
    factor = (since.sum(axis=1) + PRIOR_UNITS) / total
    missed = since - factor[:, None] * said
    return factor, np.sqrt((missed**2).sum(axis=1)) / total


def is_clear(factors: FloatArray, standard_errors: FloatArray, error_ratios: FloatArray) -> BoolArray:
    """Whether levels surely moved, not out of all proportion, and forecasts gain by it; what is not known is not clear.

    >>> is_clear(np.array([0.8, 0.8, 0.8, 9.0]), np.array([0.05, 0.1, 0.05, 0.1]), np.array([0.8, 0.8, 1.0, 0.8]))
    array([ True, False, False, False])
    """
    is_moved = np.abs(factors - 1) > DEVIATIONS * standard_errors
    is_level = (factors >= 1 / LARGEST_FACTOR) & (factors <= LARGEST_FACTOR)
    return is_moved & is_level & (error_ratios < LARGEST_RATIO)


def _reason(factor: float, error: float, ratio: float, is_moved: bool) -> str:
    if np.isnan(error):
        return f"fewer than {FEWEST_DAYS} days since the change or {FEWEST_DAYS} before it: the history stays"
    told = f"the level since is {factor:.2f} ± {error:.2f} of what the champion expected, its error {ratio:.2f} with it"
    return told if is_moved else f"{told}: not clear enough, the history stays"


def at_new_levels(panel: Panel, retrained: pd.DataFrame) -> tuple[Panel, list[str | None]]:
    """The panel with the histories of `retrained` at their levels since, and for each series why, None where it is not.

    Series that the panel lacks are left out.
    """
    reasons: list[str | None] = [None] * len(panel.keys)
    found = newest_of(retrained, panel.times[-1])
    rows = panel.keys.get_indexer(pd.MultiIndex.from_frame(found[[c.PRODUCT_ID, c.CHANNEL]]))
    if (rows < 0).all():
        return panel, reasons
    units = np.array(panel.units)
    for row, own in zip(rows[rows >= 0], found[rows >= 0].itertuples(), strict=True):
        units[row, : panel.times.get_loc(own.change_date)] *= own.level_factor
        reasons[row] = f"history before {own.change_date:%Y-%m-%d} times {own.level_factor:.2f}: {own.kinds} drift"
    return panel.with_units(units), reasons


def newest_of(retrained: pd.DataFrame, last_day: pd.Timestamp) -> pd.DataFrame:
    """The newest row of each series, where its change is recent and its history not as it was."""
    newest = retrained.sort_values(r.REPORT_DATE).drop_duplicates([c.PRODUCT_ID, c.CHANNEL], keep="last")
    age = last_day - pd.to_datetime(newest[r.CHANGE_DATE])
    return newest[(age <= pd.Timedelta(days=KEPT_DAYS)) & (newest[r.LEVEL_FACTOR] != 1.0)]
