import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sktime.forecasting.croston import Croston as TheirCroston
from statsforecast import models

from storecast.forecasting.intermittent import (
    ADIDA,
    IMAPA,
    TSB,
    Croston,
    bucket_sums,
    mean_interval,
    smoothed_demand,
)
from storecast.forecasting.panel import Panel

DEMAND = arrays(float, st.integers(5, 80), elements=st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0, 5.5]))
THEIRS = [
    models.CrostonClassic(),
    models.CrostonSBA(),
    models.TSB(0.1, 0.05),
    models.ADIDA(),
    models.IMAPA(),
]
FORECASTERS = [Croston(), Croston(is_debiased=True), TSB(), ADIDA(), IMAPA()]


def forecast_all(forecaster, units: np.ndarray) -> np.ndarray:
    """The third day's forecast of each series."""
    keys = pd.MultiIndex.from_tuples([(f"p{row}", "shop") for row in range(len(units))])
    panel = Panel(keys, pd.RangeIndex(units.shape[1]), units)
    return forecaster.fit_panel(panel).predict_panel(3)[:, 2]


def forecast_one(forecaster, units: np.ndarray) -> float:
    return float(forecast_all(forecaster, units[None, :])[0])


@pytest.fixture(scope="module")
def shop() -> np.ndarray:
    """Series that sell from once to every day, of different first days."""
    rng = np.random.default_rng(5)
    units = rng.binomial(1, rng.uniform(0.005, 1.0, (60, 1)), (60, 200)) * rng.geometric(0.2, (60, 200)).astype(float)
    units[np.arange(200) < rng.integers(0, 190, 60)[:, None]] = np.nan
    return units


@given(DEMAND)
def test_each_equals_statsforecast_on_any_series(units):
    for ours, theirs in zip(FORECASTERS, THEIRS, strict=True):
        expected = theirs.forecast(y=units, h=3)["mean"][2]
        assert forecast_one(ours, units) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_each_equals_statsforecast_on_a_shop_of_different_first_days(shop):
    for ours, theirs in zip(FORECASTERS, THEIRS, strict=True):
        expected = [theirs.forecast(y=row[~np.isnan(row)], h=3)["mean"][2] for row in shop]
        np.testing.assert_allclose(forecast_all(ours, shop), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=repr)
def test_twice_the_units_is_twice_the_forecast(forecaster, shop):
    np.testing.assert_allclose(forecast_all(forecaster, 2 * shop), 2 * forecast_all(forecaster, shop), rtol=1e-12)


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=repr)
def test_no_order_or_neighbour_changes_a_forecast(forecaster, shop):
    order = np.random.default_rng(0).permutation(len(shop))
    np.testing.assert_array_equal(forecast_all(forecaster, shop[order]), forecast_all(forecaster, shop)[order])


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=repr)
def test_a_series_that_never_sold_sells_nothing(forecaster):
    assert forecast_one(forecaster, np.zeros(30)) == 0.0


def test_days_that_fill_no_bucket_are_the_oldest():
    units = np.array([[9.0, 1.0, 2.0, 3.0, 4.0], [np.nan, np.nan, 2.0, 3.0, 4.0]])
    np.testing.assert_array_equal(bucket_sums(units, np.array([2, 2])), [[3.0, 7.0], [np.nan, 7.0]])


def test_the_mean_interval_counts_from_the_first_day():
    assert mean_interval(np.array([[np.nan, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]]))[0] == 2.5


def test_croston_equals_sktime_and_the_sum_by_hand():
    units = np.array([0, 0, 2, 7, 0, 0, 0, 5.0])  # sizes 2, 7, 5; intervals 3, 1, 4
    size = 2 + 0.1 * (7 - 2)
    size += 0.1 * (5 - size)
    interval = 3 + 0.1 * (1 - 3)
    interval += 0.1 * (4 - interval)
    assert forecast_one(Croston(0.1), units) == pytest.approx(size / interval)
    assert forecast_one(Croston(0.1), units) == pytest.approx(TheirCroston(0.1).fit(units).predict(fh=[1])[0, 0])


def test_a_dead_product_fades_with_tsb_and_stays_with_croston():
    units = np.r_[np.full(50, 4.0), np.zeros(100)]
    assert forecast_one(TSB(0.1, 0.05), units) < 0.05
    assert forecast_one(Croston(), units) == pytest.approx(4.0)


def test_days_before_the_first_one_do_not_count_as_waiting():
    late = np.array([[np.nan, np.nan, 0.0, 3.0]])
    np.testing.assert_array_equal(smoothed_demand(late, 0.1), [[3.0, 2.0, 0.0]])
