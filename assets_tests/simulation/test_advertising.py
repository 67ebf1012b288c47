"""Adstock and saturation against their closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.simulation.advertising import adstock, saturation

spends = st.lists(st.floats(0, 1e4), min_size=1, max_size=60).map(np.array)
retentions = st.floats(0, 0.95)


@given(spend=spends, retention=retentions)
def test_adstock_is_the_sum_of_past_spend_by_powers_of_the_retention(spend: np.ndarray, retention: float) -> None:
    lag = np.subtract.outer(np.arange(len(spend)), np.arange(len(spend)))
    weights = np.where(lag >= 0, retention ** np.maximum(lag, 0.0), 0.0)
    np.testing.assert_allclose(adstock(spend, retention), weights @ spend, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("retention", [0.0, 0.3, 0.75])
def test_constant_spend_tends_to_its_geometric_sum(retention: float) -> None:
    assert adstock(np.full(200, 50.0), retention)[-1] == pytest.approx(50 / (1 - retention))


@given(spend=spends, half=st.floats(1, 1e4), shape=st.floats(0.5, 3))
def test_saturation_rises_from_zero_and_stays_below_one(spend: np.ndarray, half: float, shape: float) -> None:
    response = saturation(np.sort(spend), half, shape)
    assert (np.diff(response) >= -1e-12).all()
    assert ((response >= 0) & (response <= 1)).all()
    assert saturation(np.array([half]), half, shape)[0] == pytest.approx(0.5)
