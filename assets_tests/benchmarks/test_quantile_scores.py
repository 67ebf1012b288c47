"""Scores of quantiles against what is known of right and of wrong forecasts of counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.quantile_scores import (
    ALPHAS,
    FINE_ALPHAS,
    distance_to_quantile,
    scaled_pinball_losses,
    share_at_most,
    share_below,
    transform_shares,
)

DAYS = 40_000


def drawn(mean: float, seed: int = 0):
    return np.random.default_rng(seed).poisson(mean, DAYS).astype(float)


def forecast(mean: float, alphas):
    return np.tile(stats.poisson.ppf(alphas, mean), (DAYS, 1))


@pytest.mark.parametrize("mean", [0.05, 0.7, 30.0])
def test_a_right_forecast_of_counts_meets_every_alpha(mean):
    np.testing.assert_allclose(transform_shares(drawn(mean), forecast(mean, FINE_ALPHAS)), ALPHAS, atol=0.01)
    nine = forecast(mean, ALPHAS)
    below, at_most = share_below(drawn(mean), nine), share_at_most(drawn(mean), nine)
    assert distance_to_quantile(below, at_most).max() < 0.01


def test_a_wrong_forecast_of_counts_does_not():
    assert np.abs(transform_shares(drawn(0.7), forecast(0.9, FINE_ALPHAS)) - ALPHAS).max() > 0.05


@given(st.integers(0, 100))
def test_the_right_quantiles_have_less_loss_than_others(seed):
    actual = drawn(3.0, seed)[None, :2000]
    history = np.array([[1.0, 2.0]])
    right, wrong = (forecast(mean, ALPHAS)[None, :2000] for mean in (3.0, 4.5))
    assert scaled_pinball_losses(actual, right, history) < scaled_pinball_losses(actual, wrong, history)
