import numpy as np
import pandas as pd
import pytest
from statsforecast import models

from storecast.forecasting.panel import Panel
from storecast.forecasting.theta import Theta

SERIES, DAYS, HORIZON = 40, 180, 14
FORMS = {
    "standard": models.Theta,
    "dynamic": models.DynamicTheta,
    "optimized": models.OptimizedTheta,
    "dynamic_optimized": models.DynamicOptimizedTheta,
    "auto": models.AutoTheta,
}


@pytest.fixture(scope="module")
def shop() -> np.ndarray:
    """Series with and without a season and zeros, of different first days."""
    rng = np.random.default_rng(11)
    week = 1 + rng.uniform(0, 0.8, (SERIES, 1)) * np.sin(2 * np.pi * np.arange(DAYS) / 7)
    trend = 1 + rng.uniform(-0.003, 0.004, (SERIES, 1)) * np.arange(DAYS)
    units = rng.poisson(rng.choice([0.3, 2.0, 30.0], (SERIES, 1)) * week * trend).astype(float)
    units[np.arange(DAYS) < rng.choice([0, 0, 20, 150, 173], SERIES)[:, None]] = np.nan
    return units


def forecast_of(forecaster: Theta, units: np.ndarray, horizon: int = HORIZON) -> np.ndarray:
    keys = pd.MultiIndex.from_tuples([(f"p{row}", "shop") for row in range(len(units))])
    return forecaster.fit_panel(Panel(keys, pd.RangeIndex(units.shape[1]), units)).predict_panel(horizon)


def expected_of(model, units: np.ndarray) -> np.ndarray:
    return np.stack([np.maximum(model.forecast(y=row[~np.isnan(row)], h=HORIZON)["mean"], 0) for row in units])


@pytest.mark.parametrize("form", ["standard", "dynamic"])
def test_forms_with_theta_two_equal_statsforecast(form, shop):
    ours = forecast_of(Theta(form=form), shop)
    np.testing.assert_allclose(ours, expected_of(FORMS[form](season_length=7), shop), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", ["optimized", "dynamic_optimized", "auto"])
def test_forms_that_choose_theta_equal_statsforecast_but_where_the_error_is_flat(form, shop):
    """Where theta runs off, the last bit of the error decides where the search ends: at hardly another forecast."""
    missed = np.abs(forecast_of(Theta(form=form), shop) - expected_of(FORMS[form](season_length=7), shop)).max(axis=1)
    assert np.mean(missed < 1e-9) >= 0.9
    assert (missed <= 0.01 * np.nanmax(shop, axis=1)).all()


def test_a_series_of_even_season_equals_statsforecast(shop):
    monthly = shop[:, -60:][np.isfinite(shop[:, -60])]
    expected = expected_of(models.Theta(season_length=12), monthly)
    np.testing.assert_allclose(forecast_of(Theta(season_length=12), monthly), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", ["standard", "dynamic"])
def test_the_level_line_is_drawn_on(form):
    line = np.arange(1.0, 101.0)[None, :]
    np.testing.assert_allclose(forecast_of(Theta(form=form), line, 3)[0], [101, 102, 103], rtol=0.02)


def test_no_order_or_neighbour_changes_a_forecast(shop):
    order = np.random.default_rng(0).permutation(len(shop))
    for form in FORMS:
        forecast = forecast_of(Theta(form=form), shop)
        np.testing.assert_array_equal(forecast_of(Theta(form=form), shop[order]), forecast[order])


def test_only_the_latest_days_are_used(shop):
    recent = shop[:, -60:]
    rows = ~np.isnan(recent[:, -1])
    np.testing.assert_array_equal(forecast_of(Theta(last_days=60), shop[rows]), forecast_of(Theta(), recent[rows]))


def test_a_horizon_beyond_two_seasons_repeats_the_season_s_factors(shop):
    long = forecast_of(Theta(), shop, 30)
    np.testing.assert_array_equal(long[:, :HORIZON], forecast_of(Theta(), shop))


def test_a_series_of_few_days_gets_its_mean():
    np.testing.assert_array_equal(forecast_of(Theta(), np.array([[np.nan, 1.0, 2.0, 6.0]])), np.full((1, HORIZON), 3.0))


def test_a_form_that_is_not_known_is_an_error_with_those_that_are():
    with pytest.raises(ValueError, match="dynamic_optimized"):
        forecast_of(Theta(form="best"), np.ones((1, 9)))
