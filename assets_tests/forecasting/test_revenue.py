import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.revenue import forecast_revenue


@pytest.fixture
def forecasts() -> pd.DataFrame:
    units = {name: [float(place), float(place) * 2] for place, name in enumerate(c.UNIT_QUANTILES)}
    return pd.DataFrame(
        {
            "origin_date": pd.Timestamp("2025-06-30"),
            "product_id": "p",
            "channel": "shop",
            "date": pd.to_datetime(["2025-07-01", "2025-07-02"]),
            "horizon_day": [1, 2],
            "mean_units": [3.0, 4.0],
            **units,
            "model": "tsb",
            "model_version": "1",
            "fallback_reason": None,
            "partition_key": "p",
        }
    )


@pytest.fixture
def prices() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "product_id": "p",
            "channel": "shop",
            "date": pd.to_datetime(["2025-07-01", "2025-07-02", "2025-07-03"]),
            "unit_price": [2.5, 2.0, 9.0],
        }
    )


def test_revenue_is_units_times_the_days_price(forecasts, prices):
    revenue = c.RevenueForecasts.validate(forecast_revenue(forecasts, prices))
    np.testing.assert_array_equal(revenue["mean_revenue"], [7.5, 8.0])
    np.testing.assert_array_equal(revenue["p95_revenue"], [15.0, 24.0])


def test_prices_dated_in_microseconds_as_duckdb_gives_them_match(forecasts, prices):
    revenue = forecast_revenue(forecasts, prices.astype({"date": "datetime64[us]"}))
    assert revenue["mean_revenue"].notna().all()


def test_without_a_price_revenue_is_missing(forecasts, prices):
    revenue = c.RevenueForecasts.validate(forecast_revenue(forecasts, prices.iloc[:1]))
    assert revenue["mean_revenue"].isna().tolist() == [False, True]


def test_two_prices_on_a_day_are_an_error_that_names_it(forecasts, prices):
    with pytest.raises(ValueError, match=r"'p' in 'shop' on 2025-07-01"):
        forecast_revenue(forecasts, pd.concat([prices, prices.iloc[:1]]))
