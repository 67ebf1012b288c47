import numpy as np
import pytest
from statsmodels.tsa.seasonal import seasonal_decompose

from storecast.forecasting.seasonality import seasonal_factors, with_season, without_season

WEEK = np.array([1.0, 1.2, 0.8, 1.0, 1.5, 2.0, 0.9])


def seasonal_units(days: int, lowest: float, season: np.ndarray = WEEK) -> np.ndarray:
    rng = np.random.default_rng(days)
    return lowest + 10 * np.resize(season, days) * rng.gamma(20.0, 0.05, days) + 0.02 * np.arange(days)


@pytest.mark.parametrize(("season", "length"), [(WEEK, 7), (np.array([1.0, 3.0, 2.0, 6.0]), 4)])
@pytest.mark.parametrize(("lowest", "model"), [(1.0, "multiplicative"), (-20.0, "additive")])
def test_factors_are_those_of_statsmodels_classical_decomposition(season, length, lowest, model):
    units = seasonal_units(100, lowest, season)
    factors, multiplies = seasonal_factors(units[None, :], length)
    expected = seasonal_decompose(units, model=model, period=length).seasonal[:length]
    assert multiplies[0] == (model == "multiplicative")
    np.testing.assert_allclose(factors[0], expected, rtol=1e-12)


def test_a_series_that_begins_later_has_the_factors_of_its_own_days():
    units = seasonal_units(100, 1.0)
    factors, _ = seasonal_factors(units[None, :], 7)
    later, _ = seasonal_factors(np.r_[np.full(5, np.nan), units][None, :], 7)
    np.testing.assert_allclose(later[0], np.roll(factors[0], 5), rtol=1e-12)


def test_noise_constants_and_short_series_have_no_season():
    rng = np.random.default_rng(3)
    table = [np.full(60, 0.1), np.r_[np.full(47, np.nan), WEEK[:6], WEEK], rng.permutation(np.arange(60.0) % 9)]
    factors, multiplies = seasonal_factors(np.stack(table), 7)
    assert not multiplies.any()
    np.testing.assert_array_equal(factors, 0.0)


def test_a_season_taken_out_and_put_in_is_back():
    units = np.stack([seasonal_units(98, 1.0), seasonal_units(98, -20.0)])
    factors, multiplies = seasonal_factors(units, 7)
    assert multiplies.tolist() == [True, False]
    back = with_season(without_season(units, factors, multiplies), factors, multiplies, 98)
    np.testing.assert_allclose(back, units, rtol=1e-12)  # 98 days are whole weeks: the days that follow are alike
