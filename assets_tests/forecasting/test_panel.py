import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.forecasting.panel import Panel, panel_from_tables, series_of


def test_a_panel_holds_each_unit_of_the_table_at_its_series_and_day(panel, daily_demand):
    for row in daily_demand.sample(200, random_state=0).itertuples():
        place = panel.keys.get_loc((row.product_id, row.channel))
        assert panel.units[place, panel.times.get_loc(row.date)] == row.units


def test_series_are_in_the_order_of_their_keys_whatever_the_order_of_rows(daily_demand, panel):
    shuffled = panel_from_tables(daily_demand.sample(frac=1, random_state=1))
    assert shuffled.keys.equals(panel.keys)
    np.testing.assert_array_equal(shuffled.units, panel.units)


def test_a_product_without_a_category_is_in_unknown(panel):
    categories = dict(zip(panel.statics["product_id"], panel.statics["category"], strict=True))
    assert categories["fast"] == "a"
    assert categories["dead"] == "unknown"


def test_a_gap_is_an_error_that_names_the_series(daily_demand):
    with pytest.raises(ValueError, match=r"'slow', 'shop'.*1 day"):
        panel_from_tables(daily_demand.drop(daily_demand.index[daily_demand["product_id"] == "slow"][50]))


def test_no_rows_are_an_error(daily_demand):
    with pytest.raises(ValueError, match="no rows"):
        panel_from_tables(daily_demand.iloc[:0])


def test_a_series_that_begins_after_the_origin_is_not_known_there(panel):
    known = panel.until(panel.days - 1, 5)
    assert "newborn" in panel.keys.get_level_values(0)
    assert "newborn" not in known.keys.get_level_values(0)


def test_a_planned_price_after_the_origin_is_known(panel):
    known = panel.until(150, 28)
    rows = panel.keys.get_indexer(known.keys)
    np.testing.assert_array_equal(known.drivers["unit_price"][:, 150:], panel.drivers["unit_price"][rows, 150:178])


def test_an_unplanned_price_stays_the_last_known_one_without_promotion(daily_demand):
    demand = daily_demand.assign(is_price_planned=False)
    known = panel_from_tables(demand).until(150, 28)
    last = known.drivers["unit_price"][:, 149]
    np.testing.assert_array_equal(known.drivers["unit_price"][:, 150:], np.repeat(last[:, None], 28, axis=1))
    assert not known.drivers["is_on_promotion"][:, 150:].any()
    assert not known.drivers["discount_share"][:, 150:].any()


def test_events_after_the_origin_are_known(panel):
    known = panel.until(150, 28)
    assert known.drivers["has_event"][:, 150:].any()


def test_days_beyond_the_plan_have_the_last_price_and_no_event(daily_demand):
    known = panel_from_tables(daily_demand).until(200, 28)
    assert known.drivers["unit_price"].shape[1] == 228
    assert not known.drivers["has_event"][:, 200:].any()
    assert (known.drivers["event_code"][:, 200:] == -1).all()


@given(st.integers(20, 190), st.integers(0, 2**32 - 1))
def test_what_is_known_at_an_origin_does_not_depend_on_what_came_after(panel: Panel, origin: int, seed: int):
    rng = np.random.default_rng(seed)
    unplanned = {**panel.drivers, "is_price_planned": np.zeros_like(panel.drivers["is_price_planned"])}
    altered = {name: np.copy(driver) for name, driver in unplanned.items()}
    for name in ("unit_price", "is_on_promotion", "discount_share"):
        altered[name][:, origin:] = rng.random(altered[name][:, origin:].shape)
    units = panel.units.copy()
    units[:, origin:] = np.where(np.isnan(units[:, origin:]), np.nan, rng.poisson(50, units[:, origin:].shape))
    before = Panel(panel.keys, panel.times, panel.units, unplanned, panel.statics, panel.event_names)
    after = Panel(panel.keys, panel.times, units, altered, panel.statics, panel.event_names)
    one, other = before.until(origin, 14), after.until(origin, 14)
    np.testing.assert_array_equal(one.units, other.units)
    for name in one.drivers:
        np.testing.assert_array_equal(one.drivers[name], other.drivers[name])


def test_units_and_keys_of_different_length_are_an_error():
    with pytest.raises(ValueError, match="one row a series"):
        Panel(pd.MultiIndex.from_tuples([("a", "b")]), pd.date_range("2025-01-01", periods=3), np.zeros((2, 3)))


def test_series_are_numbered_by_their_text_whatever_the_order_of_their_categories():
    met_late_first = pd.Categorical(["b", "a", "b"], categories=["b", "z", "a"])
    table = pd.DataFrame({"product_id": met_late_first, "channel": pd.Categorical(["web"] * 3)})
    rows, keys = series_of(table)
    assert rows.tolist() == [1, 0, 1]
    assert list(keys) == [("a", "web"), ("b", "web")]
    pd.testing.assert_index_equal(keys, series_of(table.astype(str))[1])
