"""What a day does to all series alike, and what being new does: factors of units, read from sums over many series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.levels import level_by
from storecast.forecasting.panel import EVENT_CODE, BoolArray, FloatArray, IntArray, Panel
from storecast.forecasting.shrinkage import credible_ratio
from storecast.forecasting.times import extended_times

WEEK: Final = 7
AROUND_DAYS: Final = 28
CALENDAR_DAYS: Final = 400
"""Weekdays and events are read from so many of the latest days: a year, so that each feast is in."""
CREDIBLE_UNITS: Final = 100.0
"""Expected units that weigh as much as "no effect": an effect of a weekday or event seen in fewer is doubted."""
AGE_EDGES: Final = (1, 7, 14, 21, 28, 56, 91)
"""First age, in days since the launch, of each part of the curve but the first, which is the day of the launch."""
NEW_DAYS: Final = 28
YOUNG_DAYS: Final = AGE_EDGES[-1]
HIGHEST_FACTOR: Final = 5.0


@dataclass(frozen=True, eq=False)
class DayFactors:
    """Units on a day over those of a plain day: by category and weekday, by event, by category on promotion."""

    weekdays: Mapping[str, Sequence[float]]
    events: Mapping[str, float]
    promotions: Mapping[str, float]

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """Factors from the sums of all series of a category in a channel, over their mean of four weeks around."""
        start = max(panel.days - CALENDAR_DAYS, 0)
        units = panel.units[:, start:]
        group = level_by(panel.statics, [name for name in (c.CATEGORY, c.CHANNEL) if name in panel.statics])
        first = np.unique(group.node, return_index=True)[1]
        total = group.total(units)
        around = _mean_around(total)
        weekday = _weekdays(panel)[start : panel.days]
        categories = categories_of(panel)
        weekdays = {}
        by_weekday = np.ones_like(total)
        for name in np.unique(categories):
            rows = np.flatnonzero(categories[first] == name)
            sums = [np.array([part[rows][:, weekday == day].sum() for day in range(WEEK)]) for part in (total, around)]
            factor = credible_ratio(sums[0], sums[1], CREDIBLE_UNITS)
            weekdays[str(name)] = (factor / factor.mean()).tolist()
            by_weekday[rows] = np.array(weekdays[str(name)])[weekday]
        codes: FloatArray = panel.drivers.get(EVENT_CODE, np.full((len(units), panel.days), -1.0))[
            first, start : panel.days
        ]
        expected = around * by_weekday
        events = {
            name: _ratio(total[codes == code], expected[codes == code]) for code, name in enumerate(panel.event_names)
        }
        return cls(weekdays, events, _promotions(panel, units, categories, start))

    def on_days(self, panel: Panel, start: int, days: int) -> FloatArray:
        """The factor of each series on each of `days` days from the panel's day `start`, (series, days)."""
        categories = categories_of(panel)
        names, place = np.unique(categories, return_inverse=True)
        plain = [1.0] * WEEK
        weekdays = np.array([self.weekdays.get(str(name), plain) for name in names]).reshape(-1, WEEK)
        factors = weekdays[place][:, _weekdays(panel, start + days - panel.days)[start : start + days]]
        codes = _columns(panel, EVENT_CODE, start, days, -1.0)
        by_code = np.array([*(self.events.get(name, 1.0) for name in panel.event_names), 1.0])
        promotion = np.array([self.promotions.get(str(name), 1.0) for name in names])[place]
        is_promoted = _columns(panel, c.IS_ON_PROMOTION, start, days, 0.0) > 0
        return factors * by_code[codes.astype(np.int64)] * np.where(is_promoted, promotion[:, None], 1.0)


def categories_of(panel: Panel) -> Any:
    """The category of each series, an empty one where the panel knows none."""
    if c.CATEGORY in panel.statics:
        return panel.statics[c.CATEGORY].to_numpy(str)
    return np.full(len(panel.keys), "", dtype=str)


def ages_of(panel: Panel, start: int, days: int) -> IntArray:
    """Days since each series' first on each of `days` days from `start`; one without any begins after the history."""
    has_begun = ~np.isnan(panel.units).all(axis=1)
    first = np.where(has_begun, panel.first_day, panel.days)
    return np.asarray(np.arange(start, start + days)[None, :] - first[:, None], dtype=np.int64)


def launch_curve(units: FloatArray, factors: FloatArray) -> FloatArray:
    """Units at an age over the mean of the first four weeks, one figure for each part of `AGE_EDGES`.

    `units` and `factors` are (launches, ages), NaN at ages not yet lived. Where few launches were seen, 1.
    """
    seen = ~np.isnan(units)
    is_whole = seen[:, :NEW_DAYS].sum(axis=1) == NEW_DAYS
    curve = np.ones(len(AGE_EDGES) + 1)
    if not is_whole.any():
        return curve
    units, factors, seen = units[is_whole], factors[is_whole], seen[is_whole]
    level = units[:, :NEW_DAYS].sum(axis=1) / factors[:, :NEW_DAYS].sum(axis=1)
    expected = np.where(seen, level[:, None] * factors, 0.0)
    part = np.searchsorted(AGE_EDGES, np.arange(units.shape[1]), side="right")
    for number in np.unique(part):
        own = part == number
        curve[number] = _ratio(np.nan_to_num(units[:, own]), expected[:, own])
    return curve


def on_curve(curve: FloatArray, ages: IntArray, is_young: BoolArray) -> FloatArray:
    """The curve at each age, 1 for series that are not young; ages before the launch count as its day."""
    values = curve[np.searchsorted(AGE_EDGES, np.maximum(ages, 0), side="right")]
    return np.where(is_young[:, None], values, 1.0)


def _ratio(units: FloatArray, expected: FloatArray) -> float:
    return float(credible_ratio(np.array([units.sum()]), np.array([expected.sum()]), CREDIBLE_UNITS)[0])


def _mean_around(total: FloatArray) -> FloatArray:
    """The mean of the four weeks around each day, of those there are."""
    sums = np.hstack([np.zeros((len(total), 1)), np.cumsum(total, axis=1)])
    day = np.arange(total.shape[1])
    low, high = np.maximum(day - AROUND_DAYS // 2, 0), np.minimum(day + AROUND_DAYS // 2, total.shape[1])
    return np.asarray((sums[:, high] - sums[:, low]) / (high - low))


def _promotions(panel: Panel, units: FloatArray, categories: Any, start: int) -> dict[str, float]:
    """Units on promoted days over those of the same series' other days, by category."""
    if c.IS_ON_PROMOTION not in panel.drivers:
        return {}
    seen = ~np.isnan(units)
    promoted = np.asarray(seen & (np.nan_to_num(panel.drivers[c.IS_ON_PROMOTION][:, start : panel.days]) > 0))
    plain = np.asarray(seen & ~promoted)
    has_plain = plain.sum(axis=1) > 0
    mean = np.where(plain, units, 0.0).sum(axis=1) / np.maximum(plain.sum(axis=1), 1)
    days = np.where(has_plain, promoted.sum(axis=1), 0)
    sold = np.where(promoted & has_plain[:, None], units, 0.0).sum(axis=1)
    found = {}
    for name in np.unique(categories):
        rows = np.flatnonzero(categories == name)
        found[str(name)] = min(_ratio(sold[rows], (mean * days)[rows]), HIGHEST_FACTOR)
    return found


def _weekdays(panel: Panel, ahead: int = 0) -> IntArray:
    """The weekday of each day of the panel and of some ahead; without dates the place in the week."""
    times = extended_times(panel.times, max(ahead, 0))
    if isinstance(times, pd.DatetimeIndex):
        return times.dayofweek.to_numpy(np.int64)
    return np.arange(len(times)) % WEEK


def _columns(panel: Panel, name: str, start: int, days: int, blank: float) -> FloatArray:
    """A driver on some days, `blank` where it is not known."""
    found = np.full((len(panel.keys), days), blank)
    if name in panel.drivers:
        known = panel.drivers[name][:, start : start + days]
        found[:, : known.shape[1]] = np.where(np.isnan(known), blank, known)
    return found
