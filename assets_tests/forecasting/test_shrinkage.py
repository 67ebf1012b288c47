import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from storecast.forecasting.shrinkage import count_quantiles, credible_ratio, fitted_shape, posterior

positive = st.floats(0.05, 50.0)


@given(mean=positive, shape=positive, units=st.integers(0, 40), exposure=positive)
def test_the_posterior_is_bayes_rule_integrated(mean, shape, units, exposure):
    rate, after = posterior(*(np.array([value], float) for value in (mean, shape, units, exposure)))
    assert after[0] == pytest.approx(shape + units)
    assert min(mean, units / exposure) - 1e-9 <= rate[0] <= max(mean, units / exposure) + 1e-9


def test_the_posterior_mean_is_that_of_numerical_integration():
    prior, units, exposure = stats.gamma(3.0, scale=2.0 / 3.0), 7, 2.5

    def weight(level: float) -> float:
        return float(prior.pdf(level) * stats.poisson(level * exposure).pmf(units))

    whole = integrate.quad(weight, 0, 40)[0]
    mean = integrate.quad(lambda level: level * weight(level), 0, 40)[0] / whole
    rate, _ = posterior(np.array([2.0]), np.array([3.0]), np.array([7.0]), np.array([2.5]))
    assert rate[0] == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("shape", [0.5, 3.0, 20.0])
def test_the_shape_that_drew_the_counts_is_found_again(shape):
    rng = np.random.default_rng(1)
    expected = rng.uniform(5, 40, 6000)
    units = rng.poisson(expected * rng.gamma(shape, 1 / shape, 6000)).astype(float)
    assert fitted_shape(units, expected) == pytest.approx(shape, rel=0.15)


def test_quantiles_are_the_negative_binomials_and_poissons_where_nothing_is_overdispersed():
    alphas = (0.05, 0.5, 0.95)
    found = count_quantiles(np.array([6.0, 6.0, 0.0]), np.array([18.0, 6.0, 0.0]), alphas)
    np.testing.assert_array_equal(found[0], stats.nbinom(3.0, 1 / 3).ppf(alphas))
    np.testing.assert_array_equal(found[1], stats.poisson(6.0).ppf(alphas))
    np.testing.assert_array_equal(found[2], [0, 0, 0])


def test_a_ratio_of_few_units_is_its_prior_and_of_many_itself():
    assert credible_ratio(np.array([0.0]), np.array([0.0]), 10.0, 1.3)[0] == pytest.approx(1.3)
    assert credible_ratio(np.array([2e6]), np.array([1e6]), 10.0)[0] == pytest.approx(2.0, rel=1e-4)
