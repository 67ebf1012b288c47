"""Against scipy's own tests, published p-values and the rate of false discoveries under a simulated null."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from storecast.monitoring.shift_statistics import (
    DAYS_A_YEAR,
    FALSE_ALARMS_PER_SERIES_YEAR,
    false_discovery_level,
    from_log,
    two_sided,
    weighted_q_values,
)

PUBLISHED = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip
"""The fifteen p-values of Benjamini and Hochberg (1995), section 4.1: four are discoveries at 5 %."""
PROBABILITIES = arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1, allow_subnormal=False))


def test_the_example_of_benjamini_and_hochberg_has_its_four_discoveries():
    q = weighted_q_values(PUBLISHED, np.ones(15))
    assert (q <= 0.05).tolist() == [True] * 4 + [False] * 11
    assert q[3] == pytest.approx(0.0095 * 15 / 4)


@given(p=PROBABILITIES)
def test_without_weights_it_is_scipy_s_procedure(p):
    np.testing.assert_allclose(weighted_q_values(p, np.ones(len(p))), stats.false_discovery_control(p), atol=1e-15)


@given(p=PROBABILITIES, factor=st.floats(0.01, 100))
def test_only_the_ratio_of_weights_counts(p, factor):
    weights = np.linspace(1, 3, len(p))
    np.testing.assert_allclose(
        weighted_q_values(p, weights), weighted_q_values(p, factor * weights), rtol=1e-9, atol=1e-300
    )


def test_what_weighs_more_is_found_sooner_and_the_rest_later():
    single, weights = np.array([0.004, *np.ones(9)]), [5.0] + [1.0] * 9
    assert weighted_q_values(single, weights)[0] == pytest.approx(0.04 * 1.4 / 5)
    assert weighted_q_values(single[::-1], weights)[-1] == pytest.approx(0.04 * 1.4)


def test_a_weight_of_nothing_is_an_error():
    with pytest.raises(ValueError, match=r"weights holds 0\.0"):
        weighted_q_values([0.1, 0.2], [0.0, 1.0])


def test_a_report_without_rows_has_no_q_values():
    assert weighted_q_values([], []).tolist() == []


def test_the_tail_of_one_contrast_is_that_of_scipy_s_t_test_of_a_mean():
    sample = np.random.default_rng(3).normal(0.4, 1.0, 12)
    expected = stats.ttest_1samp(sample, 0.0)
    assert two_sided(expected.statistic, 11, 1) == pytest.approx(expected.pvalue)
    assert two_sided(expected.statistic, 11, 3) == pytest.approx(min(3 * expected.pvalue, 1.0))


def test_a_contrast_over_the_spread_of_its_own_past_has_the_tail_it_is_given():
    rng = np.random.default_rng(11)
    draws, past = 20_000, 52
    statistic = rng.normal(size=draws) / np.sqrt((rng.normal(size=(draws, past)) ** 2).mean(axis=1))
    for alpha in (0.05, 0.01, 0.001):
        found = int((two_sided(statistic, past, 1) <= alpha).sum())
        assert stats.binomtest(found, draws, alpha).pvalue > 1e-3


def test_a_statistic_that_is_a_logarithm_gives_its_probability_back():
    assert from_log(-np.log([0.2, 1e-9]), 1) == pytest.approx([0.2, 1e-9])
    assert from_log(-np.log([0.2, 0.9]), 3) == pytest.approx([0.6, 1.0])


@pytest.mark.parametrize("series", [10, 500, 18_000])
def test_the_level_spends_the_year_s_budget_over_its_days(series):
    alarms_a_year = DAYS_A_YEAR * false_discovery_level(series)
    assert alarms_a_year / series == pytest.approx(FALSE_ALARMS_PER_SERIES_YEAR)


def test_under_the_null_a_report_finds_something_on_no_more_days_than_its_level():
    rng = np.random.default_rng(5)
    days, tests, level = 4_000, 60, 0.05
    weights = np.where(np.arange(tests) < 12, 4.0, 1.0)
    found = sum(bool((weighted_q_values(rng.random(tests), weights) <= level).any()) for _ in range(days))
    assert stats.binomtest(found, days, level, alternative="greater").pvalue > 1e-3
    assert stats.binomtest(found, days, level / 2, alternative="less").pvalue > 1e-3
