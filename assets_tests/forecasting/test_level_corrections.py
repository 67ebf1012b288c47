import json

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.level_corrections import Groups, LevelCorrections, corrections
from storecast.forecasting.panel import Panel


def panel_of(categories: list[str], days: int = 60, start: str = "2026-01-01", units: float = 200.0) -> Panel:
    keys = pd.MultiIndex.from_tuples(
        [(f"p{n}", "web") for n in range(len(categories))], names=[c.PRODUCT_ID, c.CHANNEL]
    )
    times = pd.date_range(start, periods=days)
    statics = keys.to_frame(index=False).assign(**{c.CATEGORY: categories})
    return Panel(keys, times, np.full((len(categories), days), units), statics=statics)


def test_a_series_gets_its_groups_factor_of_the_day_and_one_without_a_group_is_left_alone():
    panel = panel_of(["a", "b"])
    found = corrections(Groups.of(panel), panel, [np.array([2.0, 3.0]), np.array([4.0, 5.0])])
    other = panel_of(["b", "a", "never seen"])
    np.testing.assert_array_equal(found.of(other, 2), [[3, 5], [2, 4], [1, 1]])


def test_factors_belong_to_dates_and_go_on_as_the_last_weeks_mean():
    panel = panel_of(["a"])
    found = corrections(Groups.of(panel), panel, [np.array([float(step)]) for step in range(1, 11)])
    later = panel_of(["a"], days=30, start="2026-02-06")  # ends six days after the other
    np.testing.assert_allclose(found.of(later, 6), [[7, 8, 9, 10, 7, 7]])


def test_corrections_are_the_same_after_a_round_through_json():
    panel = panel_of(["a", "b", "b"])
    found = corrections(Groups.of(panel), panel, [np.random.default_rng(0).random(2) for _ in range(5)])
    again = LevelCorrections.from_record(json.loads(json.dumps(found.as_record())))
    np.testing.assert_array_equal(again.of(panel, 9), found.of(panel, 9))


def test_no_factors_are_no_correction():
    panel = panel_of(["a"])
    np.testing.assert_array_equal(corrections(Groups.of(panel), panel, []).of(panel, 3), np.ones((1, 3)))


def test_a_shop_too_small_for_groups_is_stored_and_read_too():
    panel = panel_of(["a"], units=0.1)
    found = corrections(Groups.of(panel), panel, [])
    again = LevelCorrections.from_record(json.loads(json.dumps(found.as_record())))
    np.testing.assert_array_equal(again.of(panel, 3), np.ones((1, 3)))
