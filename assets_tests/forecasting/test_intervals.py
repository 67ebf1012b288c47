import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from storecast.forecasting import contracts as c
from storecast.forecasting.intervals import fit_interval_scales, residual_quantiles, scales_from_table, scales_table


def counts(seed: int, origins: int = 3, series: int = 300, dispersion: float = 2.0):
    """Negative binomial demand of known mean: a forecaster that knows the mean."""
    rng = np.random.default_rng(seed)
    mean = np.repeat(rng.uniform(2, 20, series)[None, :, None], origins, axis=0).repeat(28, axis=2)
    shape = mean / (dispersion - 1)
    return rng.poisson(rng.gamma(shape, dispersion - 1)).astype(float), mean


def classes_of(origins: int, series: int):
    return np.full((origins, series), "smooth", dtype=object)


def test_quantiles_cover_new_days_as_often_as_they_say():
    actual, mean = counts(0)
    scales = fit_interval_scales(actual, mean, classes_of(3, 300))
    quantiles = scales.quantiles(mean[0], classes_of(1, 300)[0], scales.series_spreads)
    rng = np.random.default_rng(2)
    fresh = rng.poisson(rng.gamma(mean[0] / 1.0, 1.0)).astype(float)
    for place, alpha in enumerate(c.QUANTILES):
        below = (fresh < quantiles[:, :, place]).mean()
        at_most = (fresh <= quantiles[:, :, place]).mean()
        assert below - 0.02 <= alpha <= at_most + 0.02


def test_a_series_twice_as_wide_gets_a_wider_interval():
    rng = np.random.default_rng(0)
    mean = np.full((3, 2, 28), 50.0)
    actual = mean + rng.normal(0, 1, mean.shape) * np.array([5.0, 20.0])[None, :, None]
    scales = fit_interval_scales(actual, mean, classes_of(3, 2))
    narrow, wide = np.ptp(scales.quantiles(mean[0], classes_of(1, 2)[0], scales.series_spreads), axis=2)
    assert (wide > 1.5 * narrow).all()


@given(st.floats(0, 1e4), st.sampled_from(["smooth", "lumpy", "never seen"]), st.integers(0, 10))
def test_quantiles_rise_and_are_finite_and_never_negative(mean, its_class, seed):
    actual, forecast = counts(seed, series=20)
    scales = fit_interval_scales(actual, forecast, classes_of(3, 20))
    found = scales.quantiles(np.full((1, 90), mean), np.array([its_class], dtype=object), np.array([np.nan]))
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert (np.diff(found, axis=2) >= 0).all()


def test_the_table_holds_all_that_quantiles_need():
    actual, mean = counts(3, series=12)
    scales = fit_interval_scales(actual, mean, classes_of(3, 12))
    keys = pd.MultiIndex.from_product([[f"p{n:02d}" for n in range(12)], ["shop"]], names=["product_id", "channel"])
    table = c.IntervalScales.validate(scales_table(scales, keys, "t"))
    loaded, spreads = scales_from_table(table.sample(frac=1, random_state=0), keys[[3, 5]])
    expected = scales.quantiles(mean[0, [3, 5]], classes_of(1, 2)[0], scales.series_spreads[[3, 5]])
    np.testing.assert_array_equal(loaded.quantiles(mean[0, [3, 5]], classes_of(1, 2)[0], spreads), expected)


@pytest.mark.parametrize("mean", [0.3, 2.5, 40.0])
def test_quantiles_of_counts_are_the_counts_own(mean):
    forecast = np.full((3, 400, 28), mean)
    actual = np.random.default_rng(0).poisson(mean, forecast.shape).astype(float)
    alphas = (0.005, 0.25, 0.5, 0.7, 0.835, 0.975)  # of none of them is one unit more or less nearly right
    scales = fit_interval_scales(actual, forecast, classes_of(3, 400), alphas)
    found = scales.quantiles(forecast[0, :1, :7], classes_of(1, 1)[0], np.array([np.nan]))
    np.testing.assert_allclose(found[0], np.tile(stats.poisson.ppf(alphas, mean), (7, 1)), atol=1 if mean > 20 else 0)


def test_quantiles_of_what_is_not_counted_are_not_whole():
    actual, mean = counts(0, series=20)
    scales = fit_interval_scales(actual * 9.99, mean * 9.99, classes_of(3, 20))
    found = scales.quantiles(mean[0] * 9.99, classes_of(1, 20)[0], scales.series_spreads)
    assert scales.step == 0
    assert (found != np.round(found)).mean() > 0.9


def test_a_series_without_a_spread_has_its_classs(panel):
    actual, mean = counts(3, series=12)
    scales = fit_interval_scales(actual, mean, classes_of(3, 12))
    own = scales.quantiles(mean[0, :1], classes_of(1, 1)[0], np.array([np.nan]))
    of_class = scales.quantiles(mean[0, :1], classes_of(1, 1)[0], np.array([scales.class_spreads["smooth"]]))
    np.testing.assert_array_equal(own, of_class)


def test_without_any_error_known_fitting_is_an_error():
    with pytest.raises(ValueError, match="back-test at least one origin"):
        fit_interval_scales(np.full((1, 1, 1), np.nan), np.ones((1, 1, 1)), classes_of(1, 1))


def test_an_empty_table_is_an_error():
    actual, mean = counts(3, series=4)
    keys = pd.MultiIndex.from_product([list("abcd"), ["shop"]], names=["product_id", "channel"])
    table = scales_table(fit_interval_scales(actual, mean, classes_of(3, 4)), keys, "t")
    with pytest.raises(ValueError, match="scope 'pool'"):
        scales_from_table(table[table["scope"] != "pool"], keys)


def test_a_horizon_longer_than_back_tested_takes_the_farthest_errors():
    actual, mean = counts(3, series=12)
    scales = fit_interval_scales(actual, mean, classes_of(3, 12))
    found = scales.quantiles(np.full((1, 90), 5.0), classes_of(1, 1)[0], np.array([np.nan]))
    np.testing.assert_array_equal(found[0, 28], found[0, 89])


def test_without_origins_quantiles_are_the_mean():
    nothing = np.empty((0, 2, 3))
    np.testing.assert_array_equal(residual_quantiles(np.ones((2, 3)), nothing, nothing, (0.1, 0.9)), np.ones((2, 3, 2)))
