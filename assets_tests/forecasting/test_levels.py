import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storecast.forecasting import contracts as c
from storecast.forecasting.levels import Level, levels_of


def test_levels_come_in_the_order_of_the_contract(panel):
    assert tuple(level.name for level in levels_of(panel)) == c.LEVELS


def test_sums_are_those_of_a_group_by(panel, daily_demand, products):
    joined = daily_demand.merge(products, how="left").fillna({"category": "unknown"})
    for level, by in zip(levels_of(panel), (["product_id", "channel"], ["product_id"], ["category"], ["channel"]),
                         strict=False):  # fmt: skip
        expected = joined.groupby([*by, "date"])["units"].sum().unstack(fill_value=0.0)
        np.testing.assert_allclose(level.total(panel.units), expected.to_numpy())


@given(st.integers(0, 2**32 - 1))
def test_every_level_has_the_same_total(panel, seed):
    values = np.random.default_rng(seed).random((2, len(panel.keys), 3))
    for level in levels_of(panel):
        np.testing.assert_allclose(level.total(values).sum(axis=1), values.sum(axis=1))


def test_a_level_over_some_series_keeps_its_nodes():
    level = Level("category", np.array([0, 1, 1]), 2)
    np.testing.assert_array_equal(level.of(np.array([2])).total(np.array([[5.0]])), [[0.0], [5.0]])
