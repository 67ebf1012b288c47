from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.monitoring.contracts import COMPARED, FATES, OF_ROWS
from storecast.monitoring.windows import (
    ShortHistoryError,
    Window,
    columns_without_values,
    drift_windows,
    prepared,
    product_fates,
    sample_window,
    samples,
)
from storecast.warehouse import Warehouse


@given(
    history=st.integers(min_value=1, max_value=2_000),
    recent=st.integers(min_value=1, max_value=90),
    training=st.integers(min_value=1, max_value=800),
)
def test_the_windows_touch_keep_their_lengths_and_stay_within_the_history(history, recent, training):
    first, last = date(2020, 1, 1), date(2020, 1, 1) + timedelta(days=history - 1)
    if history <= recent:
        with pytest.raises(ShortHistoryError, match=str(first)):
            drift_windows(first, last, recent_days=recent, training_days=training)
        return
    windows = drift_windows(first, last, recent_days=recent, training_days=training)
    assert windows.current.end_date == last
    assert (windows.current.end_date - windows.current.start_date).days + 1 == recent
    assert windows.reference.end_date + timedelta(days=1) == windows.current.start_date
    assert (windows.reference.end_date - windows.reference.start_date).days + 1 == min(training, history - recent)
    assert windows.reference.start_date >= first


@pytest.fixture
def filled(tmp_path, risen_prices) -> Warehouse:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    warehouse.replace_table("gold.daily_demand", risen_prices)
    return warehouse


def test_a_sample_depends_on_the_seed_and_not_on_the_order_of_the_rows(filled, risen_prices):
    window = Window(date(2026, 1, 10), date(2026, 3, 1))
    first = sample_window(filled.read, window, seed=1, rows=500)
    filled.replace_table("gold.daily_demand", risen_prices.sample(frac=1.0, random_state=3))
    again = sample_window(filled.read, window, seed=1, rows=500)
    other = sample_window(filled.read, window, seed=2, rows=500)
    assert set(first.columns) == set(OF_ROWS)
    assert len(first) == 500
    pd.testing.assert_frame_equal(first, again)
    assert not first["unit_price"].equals(other["unit_price"])


def test_a_sample_holds_only_rows_of_its_window_and_the_right_weekdays(filled, risen_prices):
    monday = Window(date(2026, 3, 2), date(2026, 3, 2))
    sample = sample_window(filled.read, monday, seed=1)
    expected = risen_prices[risen_prices["date"] == "2026-03-02"]
    assert sorted(sample["unit_price"]) == sorted(expected["unit_price"])


def test_a_day_is_one_day_however_many_products_sell_on_it(filled, risen_prices):
    windows = drift_windows(date(2026, 1, 1), date(2026, 4, 30))
    drawn = samples(filled.read, windows, date(2026, 1, 1), seed=1)
    assert set(drawn.reference) == set(COMPARED)
    assert drawn.current["weekday"].value_counts().to_dict() == dict.fromkeys(range(1, 8), 4)
    days = risen_prices[risen_prices["date"] > "2026-04-02"].groupby("date")["has_event"].any()
    assert drawn.current["has_event"].sum() == days.sum()


def days_sold(first: str, last: str) -> pd.DataFrame:
    return pd.DataFrame({"date": pd.date_range(first, last), "units": 1.0})


def test_products_are_counted_by_what_became_of_them(tmp_path):
    """Windows of 28 days: the last begins on 3 April, those before it on 6 March, 6 February and 9 January."""
    sold = {
        "stays": [days_sold("2026-01-01", "2026-04-30")],
        "new": [days_sold("2026-04-10", "2026-04-30")],
        "lost": [days_sold("2026-01-01", "2026-03-20")],
        "rests": [days_sold("2026-01-01", "2026-03-05"), days_sold("2026-04-20", "2026-04-30")],
        "gone for long": [days_sold("2026-01-01", "2026-01-20")],
    }
    frames = [days.assign(product_id=name, channel="web") for name, parts in sold.items() for days in parts]
    demand = pd.concat(frames)
    idle = demand[demand["product_id"] == "rests"].assign(date=pd.Timestamp("2026-03-15"), units=0.0)
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    types = {"date": "DATE", "units": "DOUBLE", "product_id": "VARCHAR", "channel": "VARCHAR"}
    warehouse.replace_table("gold.daily_demand", pd.concat([demand, idle]), types)
    recent = Window(date(2026, 4, 3), date(2026, 4, 30))
    counts = product_fates(warehouse.read, recent, date(2026, 1, 1)).set_index(["is_recent", "fate"])["products"]
    assert counts[True].to_dict() == {"stayed": 1, "new": 1, "lost": 1, "back": 1}
    assert counts[False].to_dict() == {"stayed": 5, "lost": 2}, "two pairs of windows before"
    young = product_fates(warehouse.read, recent, date(2026, 2, 20))
    assert set(young["is_recent"]) == {True}, "two windows of history have no pair before the last"


def test_all_products_replaced_are_all_new_and_lost(filled, risen_prices):
    other = risen_prices[risen_prices["date"] > "2026-04-02"].assign(product_id=lambda rows: "Q" + rows["product_id"])
    demand = pd.concat([risen_prices[risen_prices["date"] <= "2026-04-02"], other])
    filled.replace_table("gold.daily_demand", demand)
    drawn = samples(filled.read, drift_windows(date(2026, 1, 1), date(2026, 4, 30)), date(2026, 1, 1), seed=1)
    assert drawn.products == {"stayed": 0, "new": 60, "lost": 60, "back": 0}
    assert set(drawn.products) == set(FATES)
    assert set(drawn.reference["product_id"]) == {"stayed"}


def test_an_empty_window_is_an_error_that_names_its_days(filled):
    with pytest.raises(ValueError, match="2027-01-01 to 2027-01-28"):
        sample_window(filled.read, Window(date(2027, 1, 1), date(2027, 1, 28)), seed=1)


def test_a_column_without_any_value_in_one_window_is_named_and_its_absence_compared(filled):
    drawn = samples(filled.read, drift_windows(date(2026, 1, 1), date(2026, 4, 30)), date(2026, 1, 1), seed=1)
    assert columns_without_values(drawn.reference, drawn.current) == []
    assert set(prepared(drawn.reference, drawn.current)[0]) == set(COMPARED)
    priceless = {**drawn.current, "unit_price": drawn.current["unit_price"] * float("nan")}
    assert columns_without_values(drawn.reference, priceless) == ["unit_price"]
    assert set(prepared(drawn.reference, priceless)[1]) - set(COMPARED) == {"unit_price is missing"}
