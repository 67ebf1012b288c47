from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar
from statsforecast import models

from storecast.forecasting.panel import Panel
from storecast.forecasting.smoothing import SimpleExponentialSmoothing, best_smoothing, exponentially_smoothed

UNITS = arrays(float, st.integers(2, 60), elements=st.sampled_from([0.0, 0.0, 1.0, 2.0, 5.5, 30.0]))


def forecast_of(forecaster, units: np.ndarray) -> np.ndarray:
    keys = pd.MultiIndex.from_tuples([(f"p{row}", "shop") for row in range(len(units))])
    panel = Panel(keys, pd.RangeIndex(units.shape[1]), units)
    return forecaster.fit_panel(panel).predict_panel(3)


@given(UNITS, st.floats(0.01, 1.0))
def test_a_given_weight_equals_statsforecast(units, weight):
    expected = models.SimpleExponentialSmoothing(weight).forecast(y=units, h=3)["mean"]
    ours = forecast_of(SimpleExponentialSmoothing(weight), units[None, :])[0]
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


@given(UNITS)
def test_the_chosen_weight_equals_statsforecast(units):
    expected = models.SimpleExponentialSmoothingOptimized().forecast(y=units, h=3)["mean"]
    ours = forecast_of(SimpleExponentialSmoothing(None), units[None, :])[0]
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)


def test_the_chosen_weight_is_no_worse_than_scipy_s():
    units = 10 + np.cumsum(np.random.default_rng(0).normal(size=200))

    def error(weight: float) -> float:
        level, total = units[0], 0.0
        for before, now in pairwise(units):
            level += weight * (before - level)
            total += (now - level) ** 2
        return total

    found = minimize_scalar(error, bounds=(0.01, 0.99), method="bounded").x
    assert error(best_smoothing(units[None, :])[0]) <= error(found) * (1 + 1e-9)


@given(arrays(float, (4, 30), elements=st.floats(0, 50)))
def test_smoothing_stays_within_what_was_seen(values):
    level = exponentially_smoothed(values, 0.3)
    assert (level >= values.min(axis=1) - 1e-9).all()
    assert (level <= values.max(axis=1) + 1e-9).all()


def test_days_before_the_first_one_change_nothing():
    units = np.random.default_rng(2).poisson(2.0, (3, 30)).astype(float)
    later = np.hstack([np.full((3, 20), np.nan), units])
    for smoothing in (0.2, None):
        forecaster = SimpleExponentialSmoothing(smoothing)
        np.testing.assert_array_equal(forecast_of(forecaster, later), forecast_of(forecaster, units))


def test_a_series_without_days_has_no_level():
    assert np.isnan(exponentially_smoothed(np.full((1, 3), np.nan), 0.5)[0])


def test_one_weight_a_series_may_be_given():
    values = np.array([[0.0, 8.0], [0.0, 8.0]])
    np.testing.assert_allclose(exponentially_smoothed(values, np.array([0.25, 0.5])), [2.0, 4.0])


@pytest.mark.parametrize("smoothing", [0.1, None])
def test_a_level_series_is_its_own_forecast(smoothing):
    units = np.full((1, 40), 3.0)
    np.testing.assert_allclose(forecast_of(SimpleExponentialSmoothing(smoothing), units), 3.0)
