"""What a recurrent network sees of a series at an origin: its latest days, the days ahead as planned, and what it is.

All of it is cut from `Panel.until`, so nothing that came after the origin, and no price that was not planned, is in it.
A row depends on its own series alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.features import Encoders, FeatureArray
from storecast.forecasting.panel import EVENT_CODE, FloatArray, Panel
from storecast.forecasting.times import extended_times

CodeArray = npt.NDArray[np.int32]
DAYS_OF_WEEK: Final = 7
PRICE_DAYS: Final = 91
LEVEL_DAYS: Final = (28, 91)
LOWEST_LEVEL: Final = 0.02
"""Units a day below which a series' level is not told from nothing; keeps ratios to the level finite."""
LARGEST_LOG_PRICE: Final = 2.0
DRIVER_FEATURES: Final = ("log_price_to_mean", c.IS_ON_PROMOTION, c.DISCOUNT_SHARE, c.HAS_EVENT)
WEEKDAY_FEATURES: Final = tuple(f"is_weekday_{day}" for day in range(DAYS_OF_WEEK))
PAST_FEATURES: Final = ("log_units_to_level", "has_begun", *DRIVER_FEATURES, *WEEKDAY_FEATURES)
FUTURE_FEATURES: Final = ("log_step", "log_level", *DRIVER_FEATURES, *WEEKDAY_FEATURES)
STATIC_CODES: Final = (c.CATEGORY, c.CHANNEL)


@dataclass(frozen=True, eq=False)
class Sequences:
    """Inputs of a network, one row a series and origin.

    `past` is (rows, days of context, len(PAST_FEATURES)), `future` (rows, days ahead, len(FUTURE_FEATURES)), `events`
    (rows, days ahead), `statics` (rows, len(STATIC_CODES)); a code of 0 is no event, or what training never saw.
    `levels` are units a day, (rows,).
    """

    past: FeatureArray
    future: FeatureArray
    events: CodeArray
    statics: CodeArray
    levels: FeatureArray

    @property
    def arrays(self) -> tuple[npt.NDArray[np.float32 | np.int32], ...]:
        """The five arrays in the order of the fields."""
        return (self.past, self.future, self.events, self.statics, self.levels)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts, one below the other; at least one part."""
        return cls(*(np.concatenate(column) for column in zip(*(part.arrays for part in parts), strict=True)))


def sequences_at_end(panel: Panel, steps: int, context_days: int, encoders: Encoders) -> Sequences:
    """What a network sees of each series on the last day of a panel, for `steps` days ahead.

    `encoders` number categories, channels and events as `features.encoders_of` made them at training. Where a series is
    younger than the context, the days before it are zero, `has_begun` too.
    """
    known = panel.until(panel.days, steps)
    levels = _levels(known.units)
    context = min(context_days, known.days)
    daily = _daily_features(known, steps)[:, -(context + steps) :]
    units = known.units[:, -context:]
    own = np.stack([np.log1p(np.nan_to_num(units) / levels[:, None]), ~np.isnan(units)], axis=2)
    past = np.concatenate([own, daily[:, :context]], axis=2)
    ahead = np.broadcast_to(np.log1p(np.arange(steps)), (len(levels), steps))
    log_levels = np.broadcast_to(np.log(levels)[:, None], ahead.shape)
    return Sequences(
        past=np.pad(past, ((0, 0), (context_days - context, 0), (0, 0))).astype(np.float32),
        future=np.concatenate([np.stack([ahead, log_levels], axis=2), daily[:, context:]], axis=2).astype(np.float32),
        events=_event_codes(known, steps, encoders),
        statics=np.stack([_static_codes(known.statics, name, encoders, len(levels)) for name in STATIC_CODES], axis=1),
        levels=levels.astype(np.float32),
    )


def _levels(units: FloatArray) -> FloatArray:
    """Units a day of late: the middle of the means over 28 and 91 days, of those the series has lived."""
    recent = [units[:, -days:] for days in LEVEL_DAYS]
    means = [np.nansum(part, axis=1) / np.maximum((~np.isnan(part)).sum(axis=1), 1) for part in recent]
    return np.maximum(np.mean(means, axis=0), LOWEST_LEVEL)


def _daily_features(known: Panel, steps: int) -> FloatArray:
    """Drivers and weekdays, (series, days of history and ahead, features)."""
    shape = (len(known.keys), known.days + steps)
    unknown = np.full(shape, np.nan)
    price = known.drivers.get(c.UNIT_PRICE, unknown)
    recent = np.where(price > 0, price, np.nan)[:, max(known.days - PRICE_DAYS, 0) : known.days]
    count = (~np.isnan(recent)).sum(axis=1)
    mean = np.nansum(recent, axis=1) / np.maximum(count, 1)
    is_priced = (price > 0) & (count > 0)[:, None]
    relative = np.where(is_priced, price, 1.0) / np.where(is_priced, mean[:, None], 1.0)
    log_price = np.clip(np.log(relative), -LARGEST_LOG_PRICE, LARGEST_LOG_PRICE)
    others = [np.nan_to_num(known.drivers.get(name, unknown)) for name in DRIVER_FEATURES[1:]]
    weekdays = np.broadcast_to(_weekdays(known.times, steps), (*shape, DAYS_OF_WEEK))
    return np.concatenate([np.stack([log_price, *others], axis=2), weekdays], axis=2)


def _weekdays(times: pd.Index, steps: int) -> FloatArray:
    """Which weekday each day is, (days, 7), as ones and zeros; without dates the place in the week.

    Nothing says what time of the year it is: from a year or two a network learns that by heart, and errs in the next.
    """
    all_times = extended_times(times, steps)
    is_dated = isinstance(all_times, pd.DatetimeIndex)
    weekday = all_times.dayofweek.to_numpy() if is_dated else np.arange(len(all_times)) % DAYS_OF_WEEK
    return np.eye(DAYS_OF_WEEK)[weekday]


def _static_codes(statics: pd.DataFrame, name: str, encoders: Encoders, series: int) -> CodeArray:
    """1 and more for what training saw, 0 for what it did not."""
    if name not in statics:
        return np.zeros(series, np.int32)
    codes = statics[name].map(encoders.get(name, {})).to_numpy(np.float64)
    return np.nan_to_num(codes + 1).astype(np.int32)


def _event_codes(known: Panel, steps: int, encoders: Encoders) -> CodeArray:
    """The model's codes of the events ahead; 0 where there is none, or one that training never saw."""
    if EVENT_CODE not in known.drivers:
        return np.zeros((len(known.keys), steps), np.int32)
    own = encoders.get(EVENT_CODE, {})
    translated = np.array([*(own.get(name, -1) + 1 for name in known.event_names), 0], np.int32)
    ahead = np.nan_to_num(known.drivers[EVENT_CODE][:, known.days :], nan=-1.0).astype(np.int64)
    return translated[ahead]
