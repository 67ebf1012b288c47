"""What the global model sees of a series on a day: built from the days before it and from drivers known in advance.

One function makes the features of one day, for training and for prediction alike, and the sums it reads are written up
to the day before: no feature can look ahead. All sums run along a series, so a series' features do not depend on which
other series are beside it.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import (
    DRIVERS,
    EVENT_CODE,
    BoolArray,
    FloatArray,
    IntArray,
    Panel,
    carried_forward,
)
from storecast.forecasting.times import extended_times

WINDOWS = (7, 28, 91, 182)
WEEKDAY_WEEKS = (4, 8)
PRICE_WINDOW = 91
PROMOTION_WINDOW = 28
LONGEST_WAIT = 182
SALE_THRESHOLD = 0.5
DRIVERS_READ = (*DRIVERS, EVENT_CODE)
FeatureArray = npt.NDArray[np.float32]
Encoders = Mapping[str, Mapping[str, int]]

UNIT_FEATURES = (
    *(f"mean_{window}" for window in WINDOWS),
    *(f"weekday_mean_{weeks}" for weeks in WEEKDAY_WEEKS),
    "mean_7_lag_7",
    "mean_28_lag_28",
    "mean_year_ago",
    "mean_28_year_ago",
    "size_91",
)
OTHER_FEATURES = (
    "step",
    "sold_share_28",
    "sold_share_91",
    "days_since_sale",
    "age_days",
    c.UNIT_PRICE,
    "price_to_mean",
    c.IS_ON_PROMOTION,
    c.DISCOUNT_SHARE,
    "promotion_share_28",
    c.HAS_EVENT,
    "weekday",
    "day_of_month",
    "day_of_year",
)
CATEGORICAL_FEATURES = (EVENT_CODE, c.CATEGORY, c.CHANNEL)
FEATURES = (*UNIT_FEATURES, *OTHER_FEATURES, *CATEGORICAL_FEATURES)


def encoders_of(panel: Panel) -> dict[str, dict[str, int]]:
    """Numbers for the categories, channels and events of a panel, in the order of their names."""
    texts = {
        name: sorted(set(panel.statics[name])) if name in panel.statics else [] for name in (c.CATEGORY, c.CHANNEL)
    }
    texts[EVENT_CODE] = sorted(panel.event_names)
    return {name: {text: code for code, text in enumerate(values)} for name, values in texts.items()}


class FeatureSource:
    """Running sums over a panel from which the features of any day are differences.

    All is held day by day, (days, series): the numbers of a day lie side by side.

    Parameters
    ----------
    panel : history, and drivers for as many days after it as `horizon`.
    horizon : days after the history whose features will be asked for.
    encoders : as `encoders_of` made them at training; a text that is not in them is missing (NaN).
    longest_step : days ahead from which on a day ahead counts as that.
    """

    def __init__(self, panel: Panel, horizon: int, encoders: Encoders, longest_step: int) -> None:
        self._longest_step = longest_step
        self._first_day = panel.first_day
        units = _by_day(panel.units, panel.days + horizon)
        is_known = ~np.isnan(units)
        self._is_known = is_known.astype(np.float64)
        self._units = np.where(is_known, units, 0.0)
        self._unit_sums = _running_sums(self._units)
        self._seen = _running_sums(self._is_known)
        self._sold = _running_sums(np.minimum(self._units, 1.0))
        self._last_sale = _last_sale_before(self._units)
        drivers = {name: _driver(panel, name, panel.days + horizon) for name in DRIVERS_READ}
        price = drivers[c.UNIT_PRICE]
        has_price = ~np.isnan(price)
        self._price_sums = _running_sums(np.where(has_price, price, 0.0))
        self._price_seen = _running_sums(has_price.astype(np.float64))
        self._last_price = np.ascontiguousarray(carried_forward(price.T).T)
        self._promotion_sums = _running_sums(np.nan_to_num(drivers[c.IS_ON_PROMOTION]))
        self._is_planned = drivers[c.IS_PRICE_PLANNED] > 0
        self._drivers = drivers
        self._calendar = _calendar(panel.times, panel.days + horizon)
        self._statics = {
            name: _codes(panel.statics, name, encoders, len(panel.keys)) for name in (c.CATEGORY, c.CHANNEL)
        }
        self._events = _event_codes(drivers[EVENT_CODE], panel.event_names, encoders)

    def on_day(self, day: int, known: int, rows: IntArray | BoolArray) -> FeatureArray:
        """Features of some series on a day, (rows, len(FEATURES)), from the `known` days of history before it."""
        some = np.arange(self._units.shape[1])[rows]
        columns = {**self._unit_features(day, known, some), **self._other_features(day, known, some)}
        features = np.empty((len(some), len(FEATURES)), np.float32)
        for place, name in enumerate(FEATURES):
            features[:, place] = columns[name]
        return features

    def has_begun(self, day: int) -> BoolArray:
        """Which series have at least one day of history before a day."""
        return self._first_day < day

    def _mean(self, day: int, window: int, rows: IntArray) -> FloatArray:
        """Mean units over the `window` days before a day, of those the series has lived; NaN where none."""
        return _ratio(_between(self._unit_sums, day, window, rows), _between(self._seen, day, window, rows))

    def _sold_share(self, day: int, window: int, rows: IntArray) -> FloatArray:
        return _ratio(_between(self._sold, day, window, rows), _between(self._seen, day, window, rows))

    def _weekday_mean(self, day: int, known: int, weeks: int, rows: IntArray) -> FloatArray:
        """Mean of the latest known days of the same weekday as a day."""
        latest = day - 7 * ((day - known) // 7 + 1)
        total, seen = np.zeros(len(rows)), np.zeros(len(rows))
        for place in range(latest, max(latest - 7 * weeks, -1), -7):  # one by one: in one order however many rows
            total += self._units[place, rows]
            seen += self._is_known[place, rows]
        return _ratio(total, seen)

    def _unit_features(self, day: int, known: int, rows: IntArray) -> dict[str, FloatArray]:
        features = {f"mean_{window}": self._mean(known, window, rows) for window in WINDOWS}
        features |= {f"weekday_mean_{weeks}": self._weekday_mean(day, known, weeks, rows) for weeks in WEEKDAY_WEEKS}
        features["mean_7_lag_7"] = self._mean(known - 7, 7, rows)
        features["mean_28_lag_28"] = self._mean(known - 28, 28, rows)
        features["mean_year_ago"] = self._mean(day - 364 + 4, 7, rows)
        features["mean_28_year_ago"] = self._mean(known - 364, 28, rows)
        features["size_91"] = _ratio(features["mean_91"], self._sold_share(known, 91, rows))
        return features

    def _other_features(self, day: int, known: int, rows: IntArray) -> dict[str, FloatArray]:
        mean_price = _ratio(
            _between(self._price_sums, known, PRICE_WINDOW, rows), _between(self._price_seen, known, PRICE_WINDOW, rows)
        )
        is_planned = self._is_planned[day, rows]  # what was not planned was not known before the day
        price = np.where(is_planned, self._drivers[c.UNIT_PRICE][day, rows], self._last_price[known - 1, rows])
        return {
            "step": np.full(len(rows), float(min(day - known + 1, self._longest_step))),
            "sold_share_28": self._sold_share(known, 28, rows),
            "sold_share_91": self._sold_share(known, 91, rows),
            "days_since_sale": np.minimum(known - self._last_sale[known, rows], LONGEST_WAIT).astype(np.float64),
            "age_days": (known - self._first_day[rows]).astype(np.float64),
            "price_to_mean": _ratio(price, mean_price),
            "promotion_share_28": _between(self._promotion_sums, known, PROMOTION_WINDOW, rows) / PROMOTION_WINDOW,
            c.UNIT_PRICE: price,
            c.IS_ON_PROMOTION: np.where(is_planned, self._drivers[c.IS_ON_PROMOTION][day, rows], 0.0),
            c.DISCOUNT_SHARE: np.where(is_planned, self._drivers[c.DISCOUNT_SHARE][day, rows], 0.0),
            c.HAS_EVENT: self._drivers[c.HAS_EVENT][day, rows],
            **{name: np.full(len(rows), values[day]) for name, values in self._calendar.items()},
            EVENT_CODE: self._events[day, rows],
            **{name: values[rows] for name, values in self._statics.items()},
        }


def _between(sums: FloatArray, day: int, window: int, rows: IntArray) -> FloatArray:
    """Sums over the `window` days before a day, from running ones; 0 where there is no day."""
    return sums[max(day, 0), rows] - sums[max(day - window, 0), rows]


def _by_day(values: FloatArray, days: int) -> FloatArray:
    """Values (series, days) as (days, series): so many days, NaN on those beyond."""
    wide = np.full((days, len(values)), np.nan)
    wide[: values.shape[1]] = values[:, :days].T
    return wide


def _running_sums(values: FloatArray) -> FloatArray:
    """Sums of the days before each, one day more than `values`, which has no NaN."""
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=sums[1:])
    return sums


def _last_sale_before(units: FloatArray) -> IntArray:
    """For each day the day of the latest sale before it; a long time ago where there was none."""
    sale_days = np.where(units >= SALE_THRESHOLD, np.arange(len(units))[:, None], -LONGEST_WAIT)
    before = np.full((len(units) + 1, units.shape[1]), -LONGEST_WAIT, dtype=np.int64)
    np.maximum.accumulate(sale_days, axis=0, out=before[1:])
    return before


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """The quotient, NaN where the denominator is not positive."""
    is_positive = denominator > 0
    return np.where(is_positive, numerator / np.where(is_positive, denominator, 1.0), np.nan)


def _driver(panel: Panel, name: str, days: int) -> FloatArray:
    """A driver over history and horizon, (days, series), NaN throughout where the panel has no such driver."""
    return _by_day(panel.drivers.get(name, np.full((len(panel.keys), 0), np.nan)), days)


def _calendar(times: pd.Index, days: int) -> dict[str, FloatArray]:
    """Weekday, day of the month and day of the year of each day; without dates only the place in the week."""
    all_times = extended_times(times, days - len(times))
    if not isinstance(all_times, pd.DatetimeIndex):
        nothing = np.full(days, np.nan)
        return {"weekday": np.arange(days) % 7.0, "day_of_month": nothing, "day_of_year": nothing}
    return {
        "weekday": all_times.dayofweek.to_numpy(np.float64),
        "day_of_month": all_times.day.to_numpy(np.float64),
        "day_of_year": all_times.dayofyear.to_numpy(np.float64),
    }


def _codes(statics: pd.DataFrame, name: str, encoders: Encoders, series: int) -> FloatArray:
    if name not in statics:
        return np.full(series, np.nan)
    return statics[name].map(encoders.get(name, {})).to_numpy(np.float64)


def _event_codes(panel_codes: FloatArray, event_names: tuple[str, ...], encoders: Encoders) -> FloatArray:
    """The model's event codes for the panel's; an event that training never saw is no event, but `has_event` stays."""
    known = encoders.get(EVENT_CODE, {})
    translated = np.array([*(known.get(name, np.nan) for name in event_names), np.nan])
    return translated[np.nan_to_num(panel_codes, nan=-1.0).astype(np.int64)]
