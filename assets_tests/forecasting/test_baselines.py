import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sktime.forecasting.naive import NaiveForecaster
from statsforecast.models import HistoricAverage as TheirHistoricAverage
from statsforecast.models import SeasonalNaive as TheirSeasonalNaive
from statsforecast.models import SeasonalWindowAverage as TheirWindowAverage

from storecast.forecasting.baselines import HistoricAverage, SeasonalNaive, SeasonalWindowAverage, seasonal_average
from storecast.forecasting.panel import Panel


@pytest.mark.parametrize("days", [30, 57])
def test_seasonal_naive_equals_sktime_on_one_series(days):
    index = pd.period_range("2025-01-01", periods=days, freq="D")
    y = pd.Series(np.random.default_rng(0).poisson(4, days).astype(float), index=index)
    ours = SeasonalNaive(7).fit(y, fh=range(1, 20)).predict()
    theirs = NaiveForecaster(strategy="last", sp=7).fit(y, fh=range(1, 20)).predict()
    pd.testing.assert_series_equal(ours, theirs, check_names=False)


@given(arrays(float, st.integers(28, 90), elements=st.floats(0, 1000)), st.integers(1, 40))
def test_seasonal_forecasts_equal_statsforecast(y, horizon):
    ours = seasonal_average(y[None, :], 7, 1, horizon)[0]
    np.testing.assert_array_equal(ours, TheirSeasonalNaive(7).forecast(y=y, h=horizon)["mean"])
    ours = seasonal_average(y[None, :], 7, 4, horizon)[0]
    np.testing.assert_allclose(ours, TheirWindowAverage(7, 4).forecast(y=y, h=horizon)["mean"], rtol=1e-12, atol=1e-9)


def test_a_series_shorter_than_the_window_is_averaged_over_what_it_has():
    units = np.array([[np.nan] * 4 + [7.0, 1.0, 4.0]])
    np.testing.assert_array_equal(seasonal_average(units, 7, 4, 7)[0], [4.0, 4.0, 4.0, 4.0, 7.0, 1.0, 4.0])


def test_parameters_are_those_sktime_reports():
    assert SeasonalWindowAverage(7, 8).get_params() == {"season_length": 7, "seasons": 8}


@given(arrays(float, st.integers(1, 90), elements=st.floats(0, 1000)), st.integers(0, 5))
def test_the_historic_average_equals_statsforecast(y, later):
    units = np.r_[np.full(later, np.nan), y][None, :]
    panel = Panel(pd.MultiIndex.from_tuples([("p", "shop")]), pd.RangeIndex(units.shape[1]), units)
    ours = HistoricAverage().fit_panel(panel).predict_panel(5)[0]
    np.testing.assert_allclose(ours, TheirHistoricAverage().forecast(y=y, h=5)["mean"], rtol=1e-12, atol=1e-12)
