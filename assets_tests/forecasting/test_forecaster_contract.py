"""What every forecaster in the registry keeps, whatever it is."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting.panel import Panel
from storecast.forecasting.registry import REGISTRY

HORIZON = 28
SLOW = {"prophet", "auto_arima"}
LSTM = pytest.param(
    "lstm", marks=[pytest.mark.slow, pytest.mark.skipif(find_spec("keras") is None, reason="extra `deep` not here")]
)
NAMES = [
    LSTM if name == "lstm" else pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in REGISTRY
]
LOCAL = [
    pytest.param(spec.name, marks=pytest.mark.slow) if spec.name in SLOW else spec.name
    for spec in REGISTRY.values()
    if not spec.is_global
]


def make(name: str):
    return REGISTRY[name].make(3, 1, HORIZON)


@pytest.fixture(scope="module")
def known(panel: Panel) -> Panel:
    return panel.until(panel.days, HORIZON)


@pytest.fixture(scope="module")
def frame(panel: Panel) -> pd.DataFrame:
    """The long-lived series of the shop as sktime's multi-index frame."""
    long = panel.take(panel.first_day == 0)
    index = pd.MultiIndex.from_tuples(
        [(*key, day) for key in long.keys for day in long.times], names=["product_id", "channel", "date"]
    )
    return pd.DataFrame({"units": long.units.ravel()}, index=index)


@pytest.mark.parametrize("name", NAMES)
def test_each_series_gets_finite_units_never_negative(name, known):
    forecast = make(name).fit_panel(known).predict_panel(HORIZON)
    assert forecast.shape == (len(known.keys), HORIZON)
    assert np.isfinite(forecast).all()
    assert (forecast >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_sktime_fit_and_predict_give_the_series_and_days_asked_for(name, frame):
    forecast = make(name).fit(frame, fh=[1, 3, 7]).predict()
    assert list(forecast.columns) == ["units"]
    assert list(forecast.index.names) == ["product_id", "channel", "date"]
    last = frame.index.get_level_values("date").max()
    assert set(forecast.index.get_level_values("date")) == {last + pd.Timedelta(days=step) for step in (1, 3, 7)}
    assert forecast.index.droplevel("date").unique().equals(frame.index.droplevel("date").unique())


@pytest.mark.parametrize("name", NAMES)
def test_the_short_way_gives_what_sktime_gives(name, frame, panel):
    long = panel.take(panel.first_day == 0)
    bare = Panel(long.keys, long.times, long.units, statics=long.keys.to_frame(index=False))
    short = make(name).fit_panel(bare).predict_panel(5)
    by_sktime = make(name).fit(frame, fh=range(1, 6)).predict()
    np.testing.assert_array_equal(by_sktime["units"].to_numpy().reshape(short.shape), short)


@pytest.mark.parametrize("name", NAMES)
def test_quantiles_rise_and_are_never_negative(name, known):
    quantiles = make(name).fit_panel(known).predict_quantiles_panel(7, (0.05, 0.5, 0.95))
    assert quantiles.shape == (len(known.keys), 7, 3)
    assert np.isfinite(quantiles).all()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles, axis=2) >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_sktime_quantiles_come_in_the_order_asked_for(name, frame):
    quantiles = make(name).fit(frame, fh=[1, 2]).predict_quantiles(alpha=[0.9, 0.1])
    assert list(quantiles.columns) == [("units", 0.9), ("units", 0.1)]
    assert (quantiles[("units", 0.9)] >= quantiles[("units", 0.1)]).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_numbers_and_refitting_forgets(name, known):
    fresh = make(name).fit_panel(known).predict_panel(HORIZON)
    used = make(name).fit_panel(known.take(known.first_day == 0).until(120, HORIZON))
    np.testing.assert_array_equal(used.fit_panel(known).predict_panel(HORIZON), fresh)


@pytest.mark.parametrize("name", NAMES)
def test_what_came_after_the_origin_changes_no_forecast(name, panel):
    rng = np.random.default_rng(0)
    units = panel.units.copy()
    units[:, 150:] = rng.permuted(units[:, 150:] * 3 + 1, axis=1)
    altered = panel.with_units(units)
    one = make(name).fit_panel(panel.until(150, HORIZON)).predict_panel(HORIZON)
    other = make(name).fit_panel(altered.until(150, HORIZON)).predict_panel(HORIZON)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", LOCAL)
def test_a_local_forecast_of_one_series_does_not_depend_on_the_others(name, known):
    together = make(name).fit_panel(known).predict_panel(HORIZON)
    for row in range(len(known.keys)):
        alone = make(name).fit_panel(known.take(np.array([row]))).predict_panel(HORIZON)
        np.testing.assert_array_equal(alone[0], together[row])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("history", [[4.0], [0.0] * 60, [2.0] * 60, [0.0] * 30 + [1.0]], ids=str)
def test_a_thin_history_alone_has_an_answer(name, history):
    keys = pd.MultiIndex.from_tuples([("p", "shop")], names=["product_id", "channel"])
    times = pd.date_range("2025-01-01", periods=len(history))
    thin = Panel(keys, times, np.array([history]), statics=keys.to_frame(index=False))
    forecast = make(name).fit_panel(thin).predict_panel(HORIZON)
    assert np.isfinite(forecast).all()
    assert (forecast >= 0).all()
    assert forecast.max() <= max(history) + 1e-9


@pytest.mark.parametrize("name", LOCAL)
def test_a_constant_series_goes_on(name, known):
    row = known.keys.get_loc(("constant", "shop"))
    forecast = make(name).fit_panel(known).predict_panel(HORIZON)[row]
    debiased = 0.95 if name == "sba" else 1.0  # Syntetos and Boylan's correction holds for intermittent demand only
    np.testing.assert_allclose(forecast, 2.0 * debiased, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_forecaster_saved_by_sktime_says_the_same(name, frame):
    fitted = make(name).fit(frame, fh=[1, 2])
    loaded = type(fitted).load_from_serial(fitted.save()[1])
    pd.testing.assert_frame_equal(loaded.predict(), fitted.predict())


@pytest.mark.parametrize("name", NAMES)
def test_an_update_by_one_day_equals_a_fit_on_all_days(name, frame):
    last = frame.index.get_level_values("date").max()
    is_new = frame.index.get_level_values("date") == last
    updated = make(name).fit(frame[~is_new], fh=[1, 2]).update(frame[is_new])
    pd.testing.assert_frame_equal(updated.predict(), make(name).fit(frame, fh=[1, 2]).predict())


def test_a_name_that_is_not_in_the_registry_is_an_error():
    from storecast.forecasting.registry import models_named

    with pytest.raises(ValueError, match="oracle"):
        models_named(["oracle"])


def test_seasonal_naive_always_competes():
    from storecast.forecasting.registry import DEFAULT_MODELS, models_named

    assert [spec.name for spec in models_named(["tsb"])] == ["seasonal_naive", "tsb"]
    assert [spec.name for spec in models_named()] == list(DEFAULT_MODELS)
