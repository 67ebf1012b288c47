"""What the recursive model sees of a series on a day: units of the days before, actual or forecast, and known drivers.

Not here: the features of the direct model, which sees nothing after the origin (`features.py`).
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.events import is_event, rare_event_codes, rare_events, recurring_events
from storecast.forecasting.panel import FloatArray, Panel, carried_forward
from storecast.forecasting.times import extended_times

FeatureArray = npt.NDArray[np.float32]
Encoders = Mapping[str, Any]

RECURRING: Final = "recurring_events"
RARE: Final = "rare_events"
LAG_DAYS: Final = (1, 7, 14, 21, 28)
MEANS: Final = ((7, 1), (28, 1), (7, 7), (28, 7), (28, 28))
"""(days, lag of the newest of them)."""
LAGS: Final = (
    *(f"lag_{days}" for days in LAG_DAYS),
    *(f"mean_{days}_lag_{lag}" for days, lag in MEANS),
    "weekday",
    "day_of_month",
    c.UNIT_PRICE,
    "price_to_mean",
    c.IS_ON_PROMOTION,
    c.DISCOUNT_SHARE,
    RARE,
    c.PRODUCT_ID,
    c.CHANNEL,
    c.CATEGORY,
)
PLACE_IN_YEAR: Final = ("month", "week")
LEVELS: Final = ("weekday_mean_4", "sold_share_28", "days_since_sale", "event_tomorrow")
FEATURE_SETS: Final = {"lags": (*LAGS, *PLACE_IN_YEAR), "levels": (*LAGS, *LEVELS)}
"""Two views of the same days, so that two models err differently."""
LONGEST_WAIT: Final = 90
REMEMBERED_DAYS: Final = max(days + lag for days, lag in MEANS)
"""So many days before a day, and none before them, decide its features of units."""
SOLD: Final = 0.5
"""Units from which a forecast day counts as one with a sale."""


def encoders_of(panel: Panel) -> dict[str, Any]:
    """Numbers for products, channels and categories in the order of their names, and the events by kind."""
    encoders: dict[str, Any] = {
        name: {text: number for number, text in enumerate(sorted(set(panel.statics[name].astype(str))))}
        for name in (c.PRODUCT_ID, c.CHANNEL, c.CATEGORY)
        if name in panel.statics
    }
    recurring = recurring_events(panel)
    encoders[RECURRING] = list(recurring)
    encoders[RARE] = {name: number for number, name in enumerate(rare_events(panel, recurring))}
    return encoders


def feature_names(feature_set: str, encoders: Encoders) -> tuple[str, ...]:
    """The features of a set, one more for each recurring event.

    Raises `ValueError` where there is no such set.
    """
    if feature_set not in FEATURE_SETS:
        raise ValueError(f"feature_set is {feature_set!r}: choose from {sorted(FEATURE_SETS)}")
    return (*FEATURE_SETS[feature_set], *(f"{RECURRING}_{place}" for place in range(len(encoders[RECURRING]))))


class DayRows:
    """A matrix with a row a day, whose first days can be forgotten."""

    def __init__(self, values: npt.NDArray[Any], first: int = 0) -> None:
        self._values, self._first = values, first

    def __getitem__(self, day: int) -> npt.NDArray[Any]:
        return self._values[day - self._first]

    def __setitem__(self, day: int, values: npt.NDArray[Any]) -> None:
        self._values[day - self._first] = values

    def since(self, day: int) -> "DayRows":
        """The days from one on, in memory of their own."""
        return DayRows(self._values[day - self._first :].copy(), day)


class DayFeatures:
    """Running sums over a panel, day by day, that forecast days are added to.

    Arrays have a row a day: a day's features are read from few rows that lie together. `horizon` days after the history
    can be added with `add`; `on_day` reads only days before the one it is asked for, and that day's drivers.
    """

    def __init__(self, panel: Panel, horizon: int, encoders: Encoders) -> None:
        self.known = panel.days
        days, series = panel.days + horizon, len(panel.keys)
        self._series, self._last_day = series, days - 1
        self.first_day = panel.first_day
        self._units = DayRows(np.full((days, series), np.nan, dtype=np.float32))
        self._sums = DayRows(np.zeros((days + 1, series)))
        self._sold = DayRows(np.zeros((days + 1, series), dtype=np.float32))
        self._last_sale = DayRows(np.full((days + 1, series), -1, dtype=np.int32))
        for day in range(panel.days):
            self.add(day, panel.units[:, day])
        self._add_drivers(panel, days)
        self._add_events(panel, days, encoders)
        self._calendar = _calendar(panel, days)
        self._statics = {name: _codes(panel, name, encoders) for name in (c.PRODUCT_ID, c.CHANNEL, c.CATEGORY)}

    def without_history(self) -> Self:
        """The same without the days that no day ahead reads: what a recursion has to keep of each series."""
        kept = copy.copy(self)
        start = max(self.known - REMEMBERED_DAYS, 0)
        for name in ("_units", "_sums", "_sold", "_last_sale"):
            setattr(kept, name, getattr(self, name).since(start))
        kept._drivers = {name: driver.since(self.known) for name, driver in self._drivers.items()}
        return kept

    def add(self, day: int, units: FloatArray) -> None:
        """Let the days after `day` see its units; NaN where a series has not begun."""
        counted = np.nan_to_num(units)
        has_sale = counted >= SOLD
        self._units[day] = units
        self._sums[day + 1] = self._sums[day] + counted
        self._sold[day + 1] = self._sold[day] + np.minimum(counted, 1.0)
        self._last_sale[day + 1] = np.where(has_sale, day, self._last_sale[day])

    def units_on(self, day: int) -> FeatureArray:
        """The units of a day, NaN where a series has not begun."""
        return self._units[day]

    def on_day(self, day: int, names: Sequence[str]) -> FeatureArray:
        """The named features of all series on a day, (series, names)."""
        return np.stack([self._feature(name, day) for name in names], axis=1)

    def _feature(self, name: str, day: int) -> FeatureArray:
        kind, _, rest = name.partition("_")
        if name in self._statics:
            return self._statics[name]
        if name in self._calendar:
            return np.full(self._series, self._calendar[name][day], dtype=np.float32)
        if name in self._drivers:
            return self._drivers[name][day]
        if kind == "lag":
            return self._lag(day, int(rest))
        if kind == "mean":
            window, lag = rest.split("_lag_")
            return self._mean(day - int(lag) + 1, int(window))
        return self._level(name, day)

    def _level(self, name: str, day: int) -> FeatureArray:
        if name == "weekday_mean_4":
            return _mean_of(self._lag(day, 7 * week) for week in range(1, 5))
        if name == "sold_share_28":
            return ((self._sold[day] - self._sold[max(day - 28, 0)]) / 28).astype(np.float32)
        if name == "days_since_sale":
            return np.minimum(day - self._last_sale[day], LONGEST_WAIT).astype(np.float32)
        if name == "event_tomorrow":
            tomorrow = min(day + 1, self._last_day)
            return self._drivers[RARE][tomorrow]
        raise ValueError(f"names holds {name!r}, which is no feature: see FEATURE_SETS")

    def _lag(self, day: int, days: int) -> FeatureArray:
        if day < days:
            return np.full(self._series, np.nan, dtype=np.float32)
        return self._units[day - days]

    def _mean(self, end: int, window: int) -> FeatureArray:
        """Mean units of the `window` days before `end`, of those the series has lived; NaN where none."""
        if end <= 0:
            return np.full(self._series, np.nan, dtype=np.float32)
        start = max(end - window, 0)
        lived = end - np.maximum(start, self.first_day)
        return _ratio(self._sums[end] - self._sums[start], lived)

    def _add_drivers(self, panel: Panel, days: int) -> None:
        """Prices and promotions as known the day before: what was not planned is what it was."""
        price = _by_day(panel, c.UNIT_PRICE, days, np.nan)
        planned = _by_day(panel, c.IS_PRICE_PLANNED, days, 0.0) > 0
        before = np.vstack([np.full((1, price.shape[1]), np.nan), carried_forward(price.T).T[:-1]])
        price = np.where(planned, price, before)
        mean = _mean_of(price[: self.known])
        positive = np.where(mean > 0, mean, np.nan)
        drivers = {c.UNIT_PRICE: price, "price_to_mean": price / positive}
        for name in (c.IS_ON_PROMOTION, c.DISCOUNT_SHARE):
            drivers[name] = np.where(planned, _by_day(panel, name, days, 0.0), 0)
        self._drivers = {name: DayRows(driver.astype(np.float32)) for name, driver in drivers.items()}

    def _add_events(self, panel: Panel, days: int, encoders: Encoders) -> None:
        events = {RARE: _wide(rare_event_codes(panel, encoders[RARE]), days, -1)}
        for place, name in enumerate(encoders[RECURRING]):
            events[f"{RECURRING}_{place}"] = _wide(is_event(panel, name), days, 0)
        self._drivers |= {name: DayRows(np.ascontiguousarray(event.T, np.float32)) for name, event in events.items()}


def _by_day(panel: Panel, name: str, days: int, blank: float) -> FloatArray:
    """A driver with a row a day; `blank` where the panel has no such driver or day."""
    driver = panel.drivers.get(name, np.zeros((len(panel.keys), 0)))
    return np.ascontiguousarray(_wide(np.where(np.isnan(driver), blank, driver), days, blank).T)


def _wide(values: npt.NDArray[Any], days: int, blank: float) -> npt.NDArray[Any]:
    missing = np.full((len(values), max(days - values.shape[1], 0)), blank)
    return np.hstack([values[:, :days], missing])


def _mean_of(days: Iterable[npt.NDArray[Any]]) -> FeatureArray:
    """The mean of what is not NaN, day after day: the sum is the same to the last bit however many series there are."""
    total, seen = 0.0, 0
    for values in days:
        total, seen = total + np.nan_to_num(values), seen + ~np.isnan(values)
    return _ratio(np.asarray(total), np.asarray(seen))


def _ratio(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> FeatureArray:
    is_positive = denominator > 0
    return np.where(is_positive, numerator / np.where(is_positive, denominator, 1), np.nan).astype(np.float32)


def _calendar(panel: Panel, days: int) -> dict[str, FloatArray]:
    """Calendar features of each day; without dates only the place in the week."""
    times = extended_times(panel.times, days - panel.days)
    if not isinstance(times, pd.DatetimeIndex):
        nothing = np.full(days, np.nan)
        return {"weekday": np.arange(days) % 7.0, "day_of_month": nothing, "month": nothing, "week": nothing}
    return {
        "weekday": times.dayofweek.to_numpy(np.float64),
        "day_of_month": times.day.to_numpy(np.float64),
        "month": times.month.to_numpy(np.float64),
        "week": times.isocalendar()["week"].to_numpy(np.float64),
    }


def _codes(panel: Panel, name: str, encoders: Encoders) -> FeatureArray:
    """A static text as the number it had at training; NaN for one that training never saw."""
    if name not in panel.statics:
        return np.full(len(panel.keys), np.nan, dtype=np.float32)
    return panel.statics[name].astype(str).map(encoders.get(name, {})).to_numpy(np.float32)
