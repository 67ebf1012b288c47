import numpy as np
import pytest

from storecast.forecasting.fallbacks import fallbacks, with_fallbacks


@pytest.mark.parametrize(
    ("history", "model", "reason", "units"),
    [
        ([7.0], "new_product_average", "1 day(s) of history, fewer than 14", 0.5),
        ([5.0] + [0.0] * 182, "zero", "no sale in the last 182 days", 0.0),
        ([0.0] * 30, "zero", "no sale in the last 182 days", 0.0),
        ([2.0] * 40, "seasonal_naive", "every day of history is equal", 2.0),
        ([1.0, 2.0] * 20, None, None, None),
        ([5.0] + [0.0] * 100, None, None, None),
    ],
)
def test_a_thin_history_has_its_fallback_and_reason(history, model, reason, units):
    found = fallbacks(np.array([history]), 3)
    assert (found.models[0], found.reasons[0]) == (model, reason)
    if units is not None:
        np.testing.assert_array_equal(found.forecasts[0], [units] * 3)


def test_a_champion_without_a_finite_answer_is_replaced_by_seasonal_naive():
    history = np.tile(np.arange(1.0, 8.0), (2, 4))
    forecast = np.array([[1.0, np.nan], [3.0, 4.0]])
    mean, models, reasons = with_fallbacks(forecast, np.array(["lightgbm", "lightgbm"], dtype=object), history)
    np.testing.assert_array_equal(mean, [[1.0, 2.0], [3.0, 4.0]])
    assert list(models) == ["seasonal_naive", "lightgbm"]
    assert list(reasons) == ["lightgbm gave no finite forecast", None]


def test_a_young_series_keeps_the_forecast_of_the_model_of_new_products():
    history = np.array([[np.nan, 3.0], [np.nan, 3.0]])
    models = np.array(["new_products", "lightgbm"], dtype=object)
    mean, named, reasons = with_fallbacks(np.array([[1.5], [1.5]]), models, history)
    assert list(named) == ["new_products", "new_product_average"]
    assert mean[0, 0] == 1.5
    assert reasons[0] is None
