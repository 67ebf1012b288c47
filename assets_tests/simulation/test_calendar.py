"""The rule-based calendar against the holidays package and known dates."""

import datetime as dt

import holidays
import numpy as np
import pytest
from dateutil.easter import easter

from storecast.simulation.calendar import Days, black_friday, calendar_effects, easter_sunday, public_holidays
from storecast.simulation.catalogue import CATEGORIES


def test_easter_falls_where_dateutil_says() -> None:
    assert all(easter_sunday(year) == easter(year) for year in range(1900, 2200))


def test_public_holidays_are_those_of_the_holidays_package() -> None:
    for year in range(2018, 2040):  # 2017 alone kept Reformation Day everywhere
        assert set(public_holidays(year)) == set(holidays.country_holidays("DE", years=year)), year


@pytest.mark.parametrize(("year", "day"), [(2019, 29), (2022, 25), (2024, 29), (2030, 29)])
def test_black_friday_follows_thanksgiving(year: int, day: int) -> None:
    assert black_friday(year) == dt.date(year, 11, day)


def test_weekdays_agree_with_datetime() -> None:
    days = Days.starting(dt.date(1969, 12, 25), 400)
    assert days.weekday.tolist() == [day.weekday() for day in days.dates.tolist()]
    assert days.day_of_year.tolist() == [day.timetuple().tm_yday for day in days.dates.tolist()]


def test_electronics_sell_twice_as_well_on_black_friday_as_on_other_fridays() -> None:
    days = Days.starting(dt.date(2024, 1, 1), 366)
    effects = calendar_effects(days)
    assert effects.shape == (366, len(CATEGORIES))
    electronics = [category.name for category in CATEGORIES].index("Electronics")
    friday = days.dates.tolist().index(dt.date(2024, 11, 29))
    assert effects[friday, electronics] - effects[friday - 21, electronics] > np.log(2)
