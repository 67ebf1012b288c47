import numpy as np
import pandas as pd
import pytest
from sktime.forecasting.naive import NaiveForecaster
from sktime.utils.estimator_checks import check_estimator

from storecast.forecasting.frames import panel_from_frames
from storecast.forecasting.unconstrainer import Unconstrainer
from storecast.forecasting.unconstraining import unconstrained


@pytest.fixture
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two channels of a product, one a month younger than the other, and what is known of their stock."""
    rng = np.random.default_rng(2)
    days = pd.period_range("2025-01-01", periods=90)
    keys = [("a", "shop", day) for day in days] + [("a", "web", day) for day in days[30:]]
    index = pd.MultiIndex.from_tuples(keys, names=["product_id", "channel", "date"])
    is_in_stock = ~index.get_level_values("date").isin(days[80:86])
    units = np.where(is_in_stock, rng.poisson(9.0, len(index)), 0.0)
    return pd.DataFrame({"units": units}, index=index), pd.DataFrame({"is_in_stock": is_in_stock}, index=index)


def test_a_frame_keeps_its_rows_and_gets_the_panels_demand(frames):
    units, known = frames
    demand = Unconstrainer().fit_transform(units, known)
    assert demand.index.equals(units.index)
    expected = unconstrained(panel_from_frames(units, known))
    np.testing.assert_array_equal(demand.loc[("a", "web"), "units"], expected.units[1, 30:])
    assert (demand["units"][~known["is_in_stock"]] > 3).all()
    assert demand["units"][known["is_in_stock"]].equals(units["units"][known["is_in_stock"]])


def test_without_stocks_nothing_changes(frames):
    units, _ = frames
    pd.testing.assert_frame_equal(Unconstrainer().fit_transform(units), units)


@pytest.mark.filterwarnings("ignore:The default of config ``remember_data``:FutureWarning")
def test_any_forecaster_can_stand_behind_it():
    days = pd.period_range("2025-01-01", periods=60)
    y = pd.Series(np.where(np.arange(60) < 55, 10.0, 0.0), index=days)
    stocks = pd.DataFrame({"is_in_stock": np.arange(60) < 55}, index=days)
    ahead = pd.DataFrame({"is_in_stock": [True]}, index=days[-1:] + 1)
    demand = (Unconstrainer() * NaiveForecaster()).fit(y, stocks).predict(fh=[1], X=ahead)
    assert demand.item() == pytest.approx(10.0, rel=0.05)


@pytest.mark.slow
def test_it_passes_sktimes_checks():
    results = check_estimator(Unconstrainer, raise_exceptions=False, verbose=False)
    assert {name: result for name, result in results.items() if result != "PASSED"} == {}
