"""The choice between bottom-up and reconciliation: on back-tests alone, and never what was worse at one of them."""

import numpy as np
import pytest

from storecast.forecasting.hierarchy import Hierarchy, hierarchy_of
from storecast.forecasting.reconciliation import structural_variances
from storecast.forecasting.reconciliation_choice import (
    INSURED,
    BaseBacktests,
    Loss,
    Reconciliation,
    choose_reconciliation,
)

ORIGINS, HORIZON, HISTORY = 3, 14, 200


@pytest.fixture(scope="module")
def hierarchy(panel) -> Hierarchy:
    return hierarchy_of(panel.statics, [(), ("category",), ("channel",)])


def drawn(hierarchy: Hierarchy, *, noise_of_sums: float, bias_of_series: float = 1.0, seed: int = 0) -> BaseBacktests:
    """Back-tests of series with a common swing that only the forecasts of the sums see."""
    rng = np.random.default_rng(seed)
    swing = 1.0 + 0.5 * rng.random((ORIGINS, 1, HORIZON))
    expected = 10.0 * np.ones((ORIGINS, hierarchy.series, HORIZON))
    actual = hierarchy.totals(rng.poisson(expected * swing).astype(float))
    sums = hierarchy.sums(expected * swing)
    sums = sums * (1.0 + noise_of_sums * rng.normal(size=sums.shape))
    return BaseBacktests(hierarchy, actual, np.concatenate([sums, bias_of_series * expected], axis=1))


def loss_of(hierarchy: Hierarchy) -> Loss:
    history = np.random.default_rng(1).poisson(10.0, (hierarchy.series, HISTORY)).astype(float)
    return Loss.of(hierarchy, history, np.ones(hierarchy.series))


def test_the_loss_is_the_mean_over_levels_of_weighted_root_mean_squared_scaled_errors(hierarchy):
    backtests = drawn(hierarchy, noise_of_sums=0.1)
    history = np.random.default_rng(2).poisson(10.0, (hierarchy.series, HISTORY)).astype(float)
    value = np.arange(1.0, hierarchy.series + 1)
    found = Loss.of(hierarchy, history, value)(backtests.actual, backtests.base)
    nodes, values = hierarchy.totals(history), hierarchy.totals(value[:, None])[:, 0]
    scale = np.sqrt((np.diff(nodes, axis=1) ** 2).mean(axis=1))  # every node sells on its first day
    rmsse = np.sqrt(((backtests.actual - backtests.base) ** 2).mean(axis=2)) / scale
    rows = [*hierarchy.rows.values(), slice(hierarchy.aggregates, None)]
    expected = np.mean([(rmsse[:, row] * values[row] / values[row].sum()).sum(axis=1) for row in rows], axis=0)
    np.testing.assert_allclose(found, expected)


def test_sums_that_know_more_are_taken_up(hierarchy):
    chosen, ratios = choose_reconciliation(drawn(hierarchy, noise_of_sums=0.01), loss_of(hierarchy))
    whole = Reconciliation("wls_var", chosen.share / INSURED)
    assert ratios[whole].max() < 0.9
    assert ratios[whole].mean() == min(ratio.mean() for ratio in ratios.values())
    assert ratios[Reconciliation()].tolist() == [1.0] * ORIGINS


def test_what_was_safe_as_a_whole_is_safe_in_part(hierarchy):
    """The loss of a mixture is at most the mixture of losses: so the insured share was worse at no origin either."""
    backtests, loss = drawn(hierarchy, noise_of_sums=0.3, bias_of_series=0.9), loss_of(hierarchy)
    bottom_up = backtests.coherent(Reconciliation())
    whole = backtests.coherent(Reconciliation("wls_struct", 1.0))
    half = backtests.coherent(Reconciliation("wls_struct", 0.5))
    losses = [loss(backtests.actual, forecast) for forecast in (bottom_up, half, whole)]
    assert (losses[1] <= (losses[0] + losses[2]) / 2 + 1e-12).all()


def test_sums_that_know_nothing_change_nothing(hierarchy):
    backtests = drawn(hierarchy, noise_of_sums=3.0)
    assert choose_reconciliation(backtests, loss_of(hierarchy), ["wls_struct"])[0] == Reconciliation()


def test_what_was_worse_at_a_single_origin_is_not_chosen_however_good_at_the_others(hierarchy):
    backtests = drawn(hierarchy, noise_of_sums=0.01)
    base = backtests.base.copy()
    base[1, : hierarchy.aggregates] *= 3.0
    spoiled = BaseBacktests(hierarchy, backtests.actual, base)
    chosen, ratios = choose_reconciliation(spoiled, loss_of(hierarchy), ["wls_struct"])
    assert min(ratio[0] for ratio in ratios.values()) < 0.9
    assert max(ratio[1] for ratio in ratios.values()) > 1.0
    if chosen != Reconciliation():
        assert ratios[Reconciliation(chosen.method, chosen.share / INSURED)].max() <= 1.0


def test_a_single_origin_is_too_few_to_leave_bottom_up(hierarchy):
    three = drawn(hierarchy, noise_of_sums=0.01)
    one = BaseBacktests(hierarchy, three.actual[:1], three.base[:1])
    assert choose_reconciliation(one, loss_of(hierarchy))[0] == Reconciliation()


def test_variances_at_an_origin_come_of_the_others(hierarchy):
    backtests = drawn(hierarchy, noise_of_sums=0.1)
    actual = backtests.actual.copy()
    actual[0] += 1000.0
    spoiled = BaseBacktests(hierarchy, actual, backtests.base)
    np.testing.assert_array_equal(spoiled.variances(0), backtests.variances(0))
    assert (spoiled.variances(1) > backtests.variances(1)).all()


def test_a_share_lies_between_bottom_up_and_the_methods_answer(hierarchy):
    backtests = drawn(hierarchy, noise_of_sums=0.1)
    variances = structural_variances(hierarchy)
    bottom_up, half, whole = (
        Reconciliation("wls_struct", share).series(hierarchy, backtests.base[0], variances) for share in (0.0, 0.5, 1.0)
    )
    np.testing.assert_array_equal(bottom_up, backtests.base[0, hierarchy.aggregates :])
    np.testing.assert_allclose(half, (bottom_up + whole) / 2)


def test_back_tests_of_series_that_had_not_begun_stay_unknown_and_the_rest_adds_up(hierarchy):
    backtests = drawn(hierarchy, noise_of_sums=0.1)
    base = backtests.base.copy()
    base[0, -1] = np.nan
    coherent = BaseBacktests(hierarchy, backtests.actual, base).coherent(Reconciliation("ols"))
    assert np.isnan(coherent[0, -1]).all()
    assert np.isfinite(coherent[1:]).all()
    np.testing.assert_allclose(hierarchy.totals(coherent[0, hierarchy.aggregates :]), np.nan_to_num(coherent[0]))
