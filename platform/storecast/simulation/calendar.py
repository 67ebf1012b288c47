"""The shop's days: German public holidays and trading events by rule, and what they do to demand."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np

from storecast.simulation.catalogue import CATEGORIES, Category

# People order after the weekend and go out on Saturdays, whatever they buy.
_WEEKDAY_EFFECTS: Final = (0.12, 0.06, 0.0, -0.02, -0.06, -0.16, 0.06)


@dataclass(frozen=True)
class Days:
    """The simulated days, in order; index 0 is the shop's first day."""

    dates: np.ndarray
    """datetime64[D], shape (days,)"""

    @classmethod
    def starting(cls, first: dt.date, count: int) -> "Days":
        """Return `count` days from `first` on."""
        return cls(np.datetime64(first, "D") + np.arange(count))

    @property
    def weekday(self) -> np.ndarray:
        """Return 0 for Monday to 6 for Sunday, shape (days,).

        >>> Days.starting(dt.date(2025, 3, 1), 3).weekday.tolist()
        [5, 6, 0]
        """
        return (self.dates.astype("int64") + 3) % 7

    @property
    def day_of_year(self) -> np.ndarray:
        """Return 1 for the first of January, shape (days,)."""
        return (self.dates - self.dates.astype("datetime64[Y]")).astype("int64") + 1

    @property
    def years(self) -> range:
        """Return every calendar year touched, and one more on either side."""
        first, last = (int(str(day)[:4]) for day in (self.dates[0], self.dates[-1]))
        return range(first - 1, last + 2)

    def days_after(self, event: dt.date) -> np.ndarray:
        """Return how many days each day lies after an event (negative: before), shape (days,)."""
        return (self.dates - np.datetime64(event, "D")).astype("int64")


def easter_sunday(year: int) -> dt.date:
    """Return the Gregorian date of Easter (Meeus, Jones and Butcher: Astronomical Algorithms, 1991, p. 67).

    >>> easter_sunday(2025)
    datetime.date(2025, 4, 20)
    """
    golden = year % 19
    century, of_century = divmod(year, 100)
    moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    sunday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - moon - of_century % 4) % 7
    correction = (golden + 11 * moon + 22 * sunday) // 451
    month, day = divmod(moon + sunday - 7 * correction + 114, 31)
    return dt.date(year, month, day + 1)


def public_holidays(year: int) -> dict[dt.date, str]:
    """Return the holidays that all of Germany keeps.

    >>> len(public_holidays(2025))
    9
    """
    easter = easter_sunday(year)
    return {
        dt.date(year, 1, 1): "New Year",
        easter - dt.timedelta(2): "Good Friday",
        easter + dt.timedelta(1): "Easter Monday",
        dt.date(year, 5, 1): "Labour Day",
        easter + dt.timedelta(39): "Ascension",
        easter + dt.timedelta(50): "Whit Monday",
        dt.date(year, 10, 3): "German Unity Day",
        dt.date(year, 12, 25): "Christmas Day",
        dt.date(year, 12, 26): "Second Christmas Day",
    }


def black_friday(year: int) -> dt.date:
    """Return the day after the fourth Thursday of November.

    >>> black_friday(2025)
    datetime.date(2025, 11, 28)
    """
    first = dt.date(year, 11, 1)
    return first + dt.timedelta((3 - first.weekday()) % 7 + 21 + 1)


def mothers_day(year: int) -> dt.date:
    """Return the second Sunday of May.

    >>> mothers_day(2025)
    datetime.date(2025, 5, 11)
    """
    first = dt.date(year, 5, 1)
    return first + dt.timedelta((6 - first.weekday()) % 7 + 7)


def calendar_effects(days: Days) -> np.ndarray:
    """Return the log effect of weekday, season, holidays and events on each category, shape (days, categories).

    An effect of 0.2 multiplies demand by exp(0.2) = 1.22.
    """
    events = _Events.on(days)
    return np.stack([_category_effect(days, events, category) for category in CATEGORIES], axis=1)


@dataclass(frozen=True)
class _Events:
    """How strongly each day feels each kind of event, mostly 0 to 1, shape (days,) each."""

    holiday: np.ndarray
    black_friday: np.ndarray
    gifts: np.ndarray

    @classmethod
    def on(cls, days: Days) -> "_Events":
        holiday, friday, gifts = (np.zeros(len(days.dates)) for _ in range(3))
        for year in days.years:
            holiday[np.isin(days.dates, np.array(list(public_holidays(year)), dtype="datetime64[D]"))] = 1.0
            after = days.days_after(black_friday(year))
            friday[(after >= -4) & (after <= 3)] = 0.45
            friday[after == 0] = 1.0
            friday[after == 3] = 0.8
            # Gifts are bought up to the last day on which delivery before Christmas is sure; then the parcels stop.
            after = days.days_after(dt.date(year, 12, 20))
            gifts += np.where((after > -30) & (after <= 0), (30 + after) / 30, 0.0)
            gifts -= np.where((after > 0) & (after <= 6), 0.5, 0.0)
            after = days.days_after(mothers_day(year))
            gifts += np.where((after >= -8) & (after < -1), 0.3, 0.0)
        return cls(holiday, friday, gifts)


def _category_effect(days: Days, events: _Events, category: Category) -> np.ndarray:
    phase = 2 * np.pi * (days.day_of_year - category.peak_day_of_year) / 365.25
    season = category.season_strength * (np.cos(phase) + 0.25 * np.cos(2 * phase))
    week = (np.array(_WEEKDAY_EFFECTS) + np.array(category.weekday_effects))[days.weekday]
    return (
        week
        + season
        + category.holiday_effect * events.holiday
        + category.black_friday_effect * events.black_friday
        + category.gift_effect * events.gifts
    )
