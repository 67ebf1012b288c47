import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sktime.forecasting.croston import Croston as TheirCroston
from statsforecast import models

from storecast.forecasting.intermittent import TSB, Croston, exponentially_smoothed, smoothed_size_and_interval
from storecast.forecasting.panel import Panel

DEMAND = arrays(float, st.integers(5, 80), elements=st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0, 5.5]))


def forecast_one(forecaster, units: np.ndarray) -> float:
    import pandas as pd

    keys = pd.MultiIndex.from_tuples([("p", "shop")])
    panel = Panel(keys, pd.RangeIndex(len(units)), units[None, :])
    return float(forecaster.fit_panel(panel).predict_panel(3)[0, 2])


@given(DEMAND)
def test_croston_sba_and_tsb_equal_statsforecast(units):
    pairs = [
        (Croston(), models.CrostonClassic()),
        (Croston(is_debiased=True), models.CrostonSBA()),
        (TSB(0.1, 0.05), models.TSB(0.1, 0.05)),
    ]
    for ours, theirs in pairs:
        expected = theirs.forecast(y=units, h=3)["mean"][2] if (units > 0).any() else 0.0
        assert forecast_one(ours, units) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_croston_equals_sktime_and_the_sum_by_hand():
    units = np.array([0, 0, 2, 7, 0, 0, 0, 5.0])  # sizes 2, 7, 5; intervals 3, 1, 4
    size = 2 + 0.1 * (7 - 2)
    size += 0.1 * (5 - size)
    interval = 3 + 0.1 * (1 - 3)
    interval += 0.1 * (4 - interval)
    assert forecast_one(Croston(0.1), units) == pytest.approx(size / interval)
    assert forecast_one(Croston(0.1), units) == pytest.approx(TheirCroston(0.1).fit(units).predict(fh=[1])[0, 0])


def test_a_dead_product_fades_with_tsb_and_stays_with_croston():
    units = np.r_[np.full(50, 4.0), np.zeros(100)]
    assert forecast_one(TSB(0.1, 0.05), units) < 0.05
    assert forecast_one(Croston(), units) == pytest.approx(4.0)


@given(arrays(float, (4, 30), elements=st.floats(0, 50)))
def test_smoothing_stays_within_what_was_seen(values):
    level = exponentially_smoothed(values, 0.3)
    assert (level >= values.min(axis=1) - 1e-9).all()
    assert (level <= values.max(axis=1) + 1e-9).all()


def test_days_before_the_first_one_do_not_count_as_waiting():
    late = np.array([[np.nan, np.nan, 0.0, 3.0]])
    size, interval = smoothed_size_and_interval(late, 0.1)
    assert (size[0], interval[0]) == (3.0, 2.0)
