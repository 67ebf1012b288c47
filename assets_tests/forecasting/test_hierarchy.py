"""Sums along a hierarchy, against group-bys."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.forecasting.hierarchy import Hierarchy, aggregate_panel, hierarchy_of
from storecast.forecasting.levels import Level, level_by

COLUMNS = [(), ("category",), ("channel",), ("category", "channel"), ("product_id",), ("product_id", "channel")]


@pytest.fixture(scope="module")
def hierarchy(panel) -> Hierarchy:
    return hierarchy_of(panel.statics, COLUMNS)


def test_levels_come_in_the_order_asked_for_and_the_series_last(hierarchy, panel):
    assert [level.name for level in hierarchy.levels] == [
        "total", "category", "channel", "category × channel", "product_id",
    ]  # fmt: skip
    assert hierarchy.nodes == hierarchy.aggregates + len(panel.keys)


def test_the_rows_of_a_level_are_the_group_by_of_its_columns(hierarchy, panel):
    totals = hierarchy.totals(panel.units)
    frame = pd.DataFrame(np.nan_to_num(panel.units)).assign(**panel.statics.to_dict("series"))
    days = range(panel.days)
    for level, columns in zip(hierarchy.levels[1:], COLUMNS[1:], strict=False):
        expected = frame.groupby(list(columns))[list(days)].sum()
        np.testing.assert_allclose(totals[hierarchy.rows[level.name]], expected.to_numpy())
        labels = [" × ".join(key) if isinstance(key, tuple) else key for key in expected.index]
        assert list(level.labels) == labels
    np.testing.assert_array_equal(totals[hierarchy.aggregates :], np.nan_to_num(panel.units))


@given(st.integers(0, 2**32 - 1))
def test_the_summing_matrix_adds_up_as_the_groups_do_and_spreading_is_its_transpose(hierarchy, seed):
    values = np.random.default_rng(seed).random((hierarchy.series, 3))
    np.testing.assert_allclose(hierarchy.summing @ values, hierarchy.sums(values))
    np.testing.assert_array_equal(hierarchy.spreading.toarray(), hierarchy.summing.toarray().T)
    assert hierarchy.summing.nnz == len(hierarchy.levels) * hierarchy.series


def test_a_node_begins_with_the_first_of_its_series(hierarchy, panel):
    sums = aggregate_panel(panel, hierarchy)
    begins = sums.first_day
    for level in hierarchy.levels:
        for node in range(level.nodes):
            assert begins[hierarchy.rows[level.name]][node] == panel.first_day[level.node == node].min()
    np.testing.assert_allclose(np.nan_to_num(sums.units), hierarchy.sums(panel.units))
    assert list(sums.keys[:2]) == [("total", "total"), ("category", "a")]


def test_a_panel_of_one_series_has_no_level_above_it(panel):
    alone = hierarchy_of(panel.statics.iloc[:1], COLUMNS)
    assert (alone.aggregates, alone.nodes, alone.summing.shape) == (0, 1, (0, 1))
    np.testing.assert_array_equal(alone.totals(np.array([[1.0, np.nan]])), [[1.0, 0.0]])


def test_a_column_that_is_not_there_or_not_filled_is_an_error_that_names_it(panel):
    with pytest.raises(KeyError, match="brand"):
        level_by(panel.statics, ["brand"])
    with pytest.raises(ValueError, match="category"):
        level_by(panel.statics.assign(category=None), ["category"])


def test_levels_of_another_panel_are_an_error():
    with pytest.raises(ValueError, match="level 'total' has 2 series, not 3"):
        Hierarchy((Level("total", np.zeros(2, dtype=np.int64), 1),), 3)
