"""Moments of the day against the standard library's time zones."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storecast.simulation.moments import second_of_day, to_utc


@given(draw=st.floats(0, 1, exclude_max=True))
def test_nothing_happens_in_the_hour_that_clocks_skip_or_repeat(draw: float) -> None:
    second = int(second_of_day(np.array([draw]))[0])
    assert 0 <= second < 86_400
    assert not 7_200 <= second < 10_800


@given(day=st.dates(dt.date(2000, 1, 1), dt.date(2035, 1, 1)), draw=st.floats(0, 1, exclude_max=True))
def test_local_moments_become_the_utc_moments_of_zoneinfo(day: dt.date, draw: float) -> None:
    second = second_of_day(np.array([draw]))
    local = dt.datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/Berlin"))
    local = local.replace(hour=int(second[0]) // 3600, minute=int(second[0]) // 60 % 60, second=int(second[0]) % 60)
    found = to_utc(np.array([day], dtype="datetime64[D]"), second, "Europe/Berlin")[0]
    assert found.item() == local.astimezone(dt.UTC).replace(tzinfo=None)
