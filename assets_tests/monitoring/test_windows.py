from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.monitoring.contracts import COMPARED
from storecast.monitoring.windows import (
    ShortHistoryError,
    Window,
    columns_without_values,
    drift_windows,
    sample_window,
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
    assert set(first.columns) == set(COMPARED)
    assert len(first) == 500
    pd.testing.assert_frame_equal(first, again)
    assert not first["unit_price"].equals(other["unit_price"])


def test_a_sample_holds_only_rows_of_its_window_and_the_right_weekdays(filled, risen_prices):
    monday = Window(date(2026, 3, 2), date(2026, 3, 2))
    sample = sample_window(filled.read, monday, seed=1)
    expected = risen_prices[risen_prices["date"] == "2026-03-02"]
    assert sorted(sample["unit_price"]) == sorted(expected["unit_price"])
    assert set(sample["weekday"]) == {"1"}


def test_an_empty_window_is_an_error_that_names_its_days(filled):
    with pytest.raises(ValueError, match="2027-01-01 to 2027-01-28"):
        sample_window(filled.read, Window(date(2027, 1, 1), date(2027, 1, 28)), seed=1)


def test_a_column_without_any_value_in_one_window_is_named(filled):
    sample = sample_window(filled.read, Window(date(2026, 1, 1), date(2026, 1, 9)), seed=1)
    assert columns_without_values(sample, sample) == []
    assert columns_without_values(sample, sample.assign(unit_price=float("nan"))) == ["unit_price"]
