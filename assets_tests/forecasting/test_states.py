import warnings

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsforecast import models

from storecast.forecasting.baselines import HistoricAverage
from storecast.forecasting.intermittent import TSB, Croston
from storecast.forecasting.panel import Panel
from storecast.forecasting.registry import REGISTRY
from storecast.forecasting.smoothing import SimpleExponentialSmoothing
from storecast.forecasting.states import StateForecaster
from storecast.forecasting.statistical import AutoETS
from storecast.forecasting.theta import Theta

HORIZON, FITTED_DAYS, DAYS = 14, 120, 150
WITH_STATES = {
    name: forecaster
    for name, spec in REGISTRY.items()
    if isinstance(forecaster := spec.make(0, 1, HORIZON), StateForecaster)
}
RECURSIONS = {
    "ses": SimpleExponentialSmoothing(0.3),
    "croston": Croston(),
    "sba": Croston(0.2, is_debiased=True),
    "tsb": TSB(),
    "mean": HistoricAverage(),
}
SEASONED = np.array([0.6, 0.8, 1.0, 1.0, 1.2, 1.5, 0.9])


@pytest.fixture(scope="module")
def units() -> np.ndarray:
    """Series of every kind: weekly, plain, slow, of broken numbers, young, constant, dead."""
    rng = np.random.default_rng(3)
    week = np.tile(SEASONED, DAYS)[:DAYS]
    rows = np.stack(
        [
            rng.poisson(30 * week) + 1.0,
            rng.poisson(5.0, DAYS),
            rng.binomial(1, 0.2, DAYS) * rng.geometric(0.3, DAYS),
            rng.gamma(2.0, 1.7, DAYS),
            np.r_[np.full(FITTED_DAYS - 3, np.nan), rng.poisson(4.0, DAYS - FITTED_DAYS + 3)],
            np.full(DAYS, 2.0),
            np.r_[5.0, np.zeros(DAYS - 1)],
        ]
    )
    return rows.astype(np.float64)


def forecast_of(forecaster: StateForecaster, units: np.ndarray) -> np.ndarray:
    keys = pd.MultiIndex.from_tuples([(f"p{row}", "shop") for row in range(len(units))])
    panel = Panel(keys, pd.RangeIndex(units.shape[1]), units)
    return forecaster.clone().fit_panel(panel).predict_panel(HORIZON)


def by_states(forecaster: StateForecaster, states: np.ndarray) -> np.ndarray:
    return np.maximum(forecaster.forecast_states(states, HORIZON), 0.0)


def test_the_models_with_states_are_those():
    expected = {"historic_average", "ses", "optimized_ses", "croston", "sba", "tsb"}
    assert set(WITH_STATES) == expected | {"standard_theta", "theta", "auto_theta", "auto_ets"}


@pytest.mark.parametrize("name", WITH_STATES)
def test_the_state_says_what_the_forecaster_says_bit_for_bit(name, units):
    states = WITH_STATES[name].fit_states(units)
    assert by_states(WITH_STATES[name], states).tobytes() == forecast_of(WITH_STATES[name], units).tobytes()


@pytest.mark.parametrize("name", WITH_STATES)
def test_days_one_by_one_leave_the_state_that_they_leave_at_once(name, units):
    forecaster = WITH_STATES[name]
    one_by_one = forecaster.fit_states(units[:, :FITTED_DAYS])
    at_once = forecaster.update_states(one_by_one, units[:, FITTED_DAYS:])
    for day in range(FITTED_DAYS, DAYS):
        one_by_one = forecaster.update_states(one_by_one, units[:, day : day + 1])
    np.testing.assert_array_equal(one_by_one, at_once)


@pytest.mark.parametrize("name", WITH_STATES)
def test_a_state_is_not_changed_in_place_and_does_not_depend_on_its_neighbours(name, units):
    forecaster = WITH_STATES[name]
    states = forecaster.fit_states(units[:, :FITTED_DAYS])
    before = states.copy()
    updated = forecaster.update_states(states, units[:, FITTED_DAYS:])
    np.testing.assert_array_equal(states, before)
    alone = forecaster.update_states(states[2:3], units[2:3, FITTED_DAYS:])
    np.testing.assert_array_equal(alone, updated[2:3])


@pytest.mark.parametrize("name", RECURSIONS)
@given(
    units=hnp.arrays(float, (3, 30), elements=st.floats(0, 1e6, width=32)),
    first=st.integers(0, 29),
    fitted=st.integers(0, 30),
)
def test_a_recursion_that_was_updated_is_the_one_fitted_on_the_whole_history(name, units, first, fitted):
    units[0, :first] = np.nan
    forecaster = RECURSIONS[name]
    updated = forecaster.update_states(forecaster.fit_states(units[:, :fitted]), units[:, fitted:])
    np.testing.assert_array_equal(updated, forecaster.fit_states(units))


def test_a_chosen_weight_stays_and_the_level_is_that_of_the_whole_history_with_it(units):
    forecaster = SimpleExponentialSmoothing(None)
    states = forecaster.fit_states(units[:, :FITTED_DAYS])
    updated = forecaster.update_states(states, units[:, FITTED_DAYS:])
    np.testing.assert_array_equal(updated[:, 0], states[:, 0])
    for weight, level, row in zip(*updated.T, units, strict=True):
        whole = SimpleExponentialSmoothing(weight).fit_states(row[None, :])
        assert whole[0, 1] == level


def test_ets_moves_on_as_statsforecast_does_with_what_it_fitted(units):
    forecaster = AutoETS()
    states = forecaster.fit_states(units[:4, :FITTED_DAYS])
    updated = by_states(forecaster, forecaster.update_states(states, units[:4, FITTED_DAYS:]))
    for ours, row in zip(updated, units, strict=False):
        fitted = models.AutoETS(season_length=7, model="ZNZ").fit(row[:FITTED_DAYS])
        np.testing.assert_allclose(ours, fitted.forward(row, h=HORIZON)["mean"], rtol=1e-12)


@pytest.mark.parametrize("model", ["AAN", "AAA", "MAM"])
def test_an_ets_with_a_trend_says_what_statsforecast_says_damped_or_not(model, units):
    row = units[0] + 0.3 * np.arange(DAYS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = models.AutoETS(season_length=7, model=model).forecast(y=row, h=HORIZON)["mean"]
    np.testing.assert_allclose(forecast_of(AutoETS(model=model), row[None, :])[0], expected, rtol=1e-12)


def test_theta_moves_on_as_statsforecast_does_with_what_it_fitted(units):
    forecaster = Theta(season_length=1, form="dynamic")
    states = forecaster.fit_states(units[:4, :FITTED_DAYS])
    updated = by_states(forecaster, forecaster.update_states(states, units[:4, FITTED_DAYS:]))
    for ours, row in zip(updated, units, strict=False):
        fitted = models.DynamicTheta(season_length=1).fit(row[:FITTED_DAYS])
        np.testing.assert_allclose(ours, fitted.forward(row, h=HORIZON)["mean"], rtol=1e-9)


def test_a_theta_with_a_season_goes_on_in_the_season():
    units = np.tile(10 * SEASONED, 20)[None, :]
    forecaster = Theta()
    states = forecaster.fit_states(units[:, :100])
    updated = forecaster.update_states(states, units[:, 100:103])
    np.testing.assert_allclose(by_states(forecaster, updated), units[:, 103 : 103 + HORIZON], rtol=0.02)


def test_a_series_that_had_too_little_to_estimate_stays_where_it_was(units):
    for forecaster in (AutoETS(), Theta()):
        states = forecaster.fit_states(units[5:6, :FITTED_DAYS])
        updated = forecaster.update_states(states, np.array([[9.0, 9.0]]))
        np.testing.assert_array_equal(by_states(forecaster, updated), 2.0)
