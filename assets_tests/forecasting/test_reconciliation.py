"""Reconciliation against dense closed forms, quadratic programs by other hands, and hierarchicalforecast."""

import numpy as np
import pandas as pd
import pytest
from hierarchicalforecast.methods import MinTraceSparse, TopDown
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import nnls

from storecast.forecasting import reconciliation
from storecast.forecasting.hierarchy import Hierarchy, hierarchy_of
from storecast.forecasting.reconciliation import error_variances, minimum_trace, structural_variances, top_down

HORIZON = 4
CROSSED = [(), ("category",), ("channel",), ("category", "channel"), ("product_id",), ("product_id", "channel")]
NESTED = [(), ("category",), ("product_id",), ("product_id", "channel")]


def crossed(products: int, channels: int) -> pd.DataFrame:
    """Every product in every channel, three products a category."""
    product, channel = np.divmod(np.arange(products * channels), channels)
    return pd.DataFrame({"product_id": product, "channel": channel, "category": product // 3}).astype(str)


def dense(hierarchy: Hierarchy) -> np.ndarray:
    return np.vstack([hierarchy.summing.toarray(), np.eye(hierarchy.series)])


def by_normal_equations(hierarchy: Hierarchy, base: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """(S' W⁻¹ S)⁻¹ S' W⁻¹ ŷ as in the paper."""
    summing = dense(hierarchy)
    weighted = summing.T / variances
    return np.linalg.solve(weighted @ summing, weighted @ base)


def drawn(hierarchy: Hierarchy, seed: int, level: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(level, 2.0, (hierarchy.nodes, HORIZON)), rng.gamma(1.0, 1.0, hierarchy.nodes) + 0.05


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return hierarchy_of(crossed(7, 3), CROSSED)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_answer_is_that_of_the_dense_normal_equations(hierarchy, seed):
    base, variances = drawn(hierarchy, seed)
    answer = minimum_trace(hierarchy, base, variances, "any")
    np.testing.assert_allclose(answer, by_normal_equations(hierarchy, base, variances), rtol=0, atol=1e-8)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), level=st.sampled_from([-3.0, 0.0, 1.0, 20.0]))
def test_the_non_negative_answer_is_that_of_non_negative_least_squares(hierarchy, seed, level):
    base, variances = drawn(hierarchy, seed, level)
    answer = minimum_trace(hierarchy, base, variances)
    root = np.sqrt(variances)
    expected = [nnls(dense(hierarchy) / root[:, None], day / root)[0] for day in base.T]
    np.testing.assert_allclose(answer, np.array(expected).T, rtol=0, atol=1e-8)


@given(seed=st.integers(0, 2**32 - 1))
def test_without_a_factorisation_the_answers_are_the_same(hierarchy, seed):
    base, variances = drawn(hierarchy, seed)
    quick = minimum_trace(hierarchy, base, variances)
    with pytest.MonkeyPatch.context() as crossing_too_much:
        crossing_too_much.setattr(reconciliation, "MOST_CROSSING_NODES", -1)
        slow = minimum_trace(hierarchy, base, variances)
    np.testing.assert_allclose(quick, slow, rtol=0, atol=1e-7)


@pytest.mark.parametrize("method", ["ols", "wls_struct"])
def test_hierarchicalforecast_says_the_same(hierarchy, method):
    base, _ = drawn(hierarchy, 0, level=5.0)
    variances = np.ones(hierarchy.nodes) if method == "ols" else structural_variances(hierarchy)
    peer = MinTraceSparse(method).fit_predict(S=sparse.csr_matrix(dense(hierarchy)), y_hat=base)["mean"]
    ours = hierarchy.totals(minimum_trace(hierarchy, base, variances, "any"))
    np.testing.assert_allclose(ours, peer, rtol=0, atol=1e-3)  # theirs stops at a residual of 1e-5


def test_hierarchicalforecast_says_the_same_of_series_that_must_not_be_negative(hierarchy):
    base, _ = drawn(hierarchy, 1)
    base = np.maximum(base, 0.0)  # theirs sets them to 0 first
    peer = MinTraceSparse("wls_struct", nonnegative=True)
    expected = peer.fit_predict(S=sparse.csr_matrix(dense(hierarchy)), y_hat=base)["mean"]
    ours = hierarchy.totals(minimum_trace(hierarchy, base, structural_variances(hierarchy)))
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5)


def test_base_forecasts_that_add_up_stay_as_they_are(hierarchy):
    series = np.random.default_rng(2).random((hierarchy.series, HORIZON))
    answer = minimum_trace(hierarchy, hierarchy.totals(series), drawn(hierarchy, 2)[1])
    np.testing.assert_allclose(answer, series, atol=1e-10)


def test_a_node_without_error_keeps_its_forecast(hierarchy):
    base, variances = drawn(hierarchy, 3, level=5.0)
    variances[0] = 0.0
    np.testing.assert_allclose(minimum_trace(hierarchy, base, variances, "any").sum(axis=0), base[0], rtol=1e-6)


def test_clipped_is_the_free_answer_without_its_negative_part(hierarchy):
    base, variances = drawn(hierarchy, 4, level=0.0)
    free, clipped = (minimum_trace(hierarchy, base, variances, sign) for sign in ("any", "clipped"))
    assert (free < 0).any()
    np.testing.assert_array_equal(clipped, np.maximum(free, 0.0))


def test_a_panel_without_aggregates_keeps_its_base_forecasts():
    alone = Hierarchy((), 2)
    np.testing.assert_array_equal(minimum_trace(alone, np.array([[2.0], [-1.0]]), np.ones(2)), [[2.0], [0.0]])


def test_what_does_not_fit_the_hierarchy_is_an_error_that_names_it(hierarchy):
    base, variances = drawn(hierarchy, 5)
    with pytest.raises(ValueError, match="base has shape"):
        minimum_trace(hierarchy, base[1:], variances)
    with pytest.raises(ValueError, match="variances has shape"):
        minimum_trace(hierarchy, base, np.full(hierarchy.nodes, np.nan))


def test_variances_are_the_squared_errors_of_each_node_and_unknown_ones_those_of_their_level():
    hierarchy = hierarchy_of(crossed(3, 2), [()])
    rng = np.random.default_rng(6)
    base = rng.gamma(5.0, 1.0, (3, hierarchy.nodes, 500))
    actual = base + rng.normal(0.0, 2.0, base.shape)
    actual[:, -1] = np.nan
    found = error_variances(hierarchy, actual, base, base[0])
    assert found[:-1] == pytest.approx(((actual - base)[:, :-1] ** 2).mean(axis=(0, 2)), rel=0.02)
    ratio = ((actual - base)[:, 1:-1] ** 2).sum() / base[:, 1:-1].sum()
    assert found[-1] == pytest.approx(ratio * base[0, -1].mean())


def test_top_down_by_forecast_proportions_is_hierarchicalforecasts(hierarchy):
    nested = hierarchy_of(crossed(6, 2), NESTED)
    base = np.random.default_rng(7).gamma(2.0, 1.0, (nested.nodes, HORIZON))
    names = [level.name for level in nested.levels]
    tags = {name: np.arange(nested.nodes)[nested.rows[name]] for name in names}
    tags["series"] = np.arange(nested.aggregates, nested.nodes)
    peer = TopDown("forecast_proportions").fit_predict(S=dense(nested), y_hat=base, tags=tags)["mean"]
    np.testing.assert_allclose(nested.totals(top_down(nested, base, tuple(names))), peer)


def test_top_down_refuses_levels_that_are_not_nested(hierarchy):
    base, _ = drawn(hierarchy, 8, level=9.0)
    with pytest.raises(ValueError, match="nested"):
        top_down(hierarchy, base, ("category", "channel"))


def test_top_down_shares_out_equally_what_nobody_forecasts(hierarchy):
    base = np.zeros((hierarchy.nodes, 1))
    base[0] = hierarchy.series
    np.testing.assert_allclose(top_down(hierarchy, base, ("total",)), 1.0)
