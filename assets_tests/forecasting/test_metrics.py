import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_percentage_error, mean_pinball_loss
from sktime.performance_metrics.forecasting import MeanAbsoluteScaledError
from utilsforecast import losses

from storecast.forecasting import metrics


@pytest.fixture
def history() -> np.ndarray:
    return np.random.default_rng(0).poisson(5, (3, 100)).astype(float) + 1


@pytest.fixture
def outcome(history) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    actual = rng.poisson(5, (3, 14)).astype(float)
    return actual, actual + rng.normal(0, 2, actual.shape)


def long(actual, forecast) -> pd.DataFrame:
    series, days = actual.shape
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(series), days),
            "ds": np.tile(np.arange(100, 100 + days), series),
            "y": actual.ravel(),
            "model": forecast.ravel(),
        }
    )


def test_pinball_and_mape_equal_scikit_learn(outcome):
    actual, forecast = outcome
    for alpha in (0.05, 0.5, 0.9):
        expected = mean_pinball_loss(actual.ravel(), forecast.ravel(), alpha=alpha)
        assert metrics.pinball(actual, forecast, alpha) == pytest.approx(expected)
    sold = actual > 0
    expected = mean_absolute_percentage_error(actual[sold], forecast[sold])
    assert metrics.mape(actual, forecast) == pytest.approx(expected)


def test_mase_equals_sktime_and_utilsforecast(history, outcome):
    actual, forecast = outcome
    ours = metrics.mase(actual, forecast, metrics.naive_scales(history, 7))
    for row in range(3):
        theirs = MeanAbsoluteScaledError(sp=7)(actual[row], forecast[row], y_train=history[row])
        assert ours[row] == pytest.approx(theirs)
    train = long(history, history).assign(ds=np.tile(np.arange(100), 3))
    theirs = losses.mase(long(actual, forecast), ["model"], seasonality=7, train_df=train)["model"]
    np.testing.assert_allclose(ours, theirs)


def test_rmsse_equals_utilsforecast(history, outcome):
    actual, forecast = outcome
    ours = metrics.rmsse(actual, forecast, metrics.naive_scales(history, 1, power=2))
    train = long(history, history).assign(ds=np.tile(np.arange(100), 3))
    theirs = losses.rmsse(long(actual, forecast), ["model"], seasonality=1, train_df=train)["model"]
    np.testing.assert_allclose(ours, theirs)


def test_wape_equals_utilsforecast_nd(outcome):
    actual, forecast = outcome
    theirs = losses.nd(long(actual, forecast), ["model"])["model"]
    for row in range(3):
        assert metrics.wape(actual[row], forecast[row]) == pytest.approx(theirs[row])


def test_scales_begin_at_the_first_sale():
    late = np.array([[0.0, 0.0, 0.0, 4.0, 2.0, 5.0]])
    np.testing.assert_array_equal(metrics.naive_scales(late), metrics.naive_scales(late[:, 3:]))


def test_a_constant_history_has_no_scale():
    assert np.isnan(metrics.naive_scales(np.full((1, 10), 3.0))).all()


def test_nothing_sold_has_no_wape():
    assert np.isnan(metrics.wape([0, 0], [1, 0]))


def test_arrays_of_different_shape_are_an_error():
    with pytest.raises(ValueError, match="one shape"):
        metrics.wape([1, 2], [1])


def test_days_whose_units_are_not_known_do_not_count():
    actual, forecast = np.array([[4.0, np.nan, 6.0], [np.nan, np.nan, np.nan]]), np.full((2, 3), 5.0)
    assert metrics.wape(actual, forecast) == 0.2
    assert metrics.bias(actual, forecast) == 0.0
    assert metrics.pinball(actual, forecast, 0.5) == 0.5
    assert metrics.coverage(actual, forecast - 1, forecast) == 0.5
    np.testing.assert_array_equal(metrics.rmsse(actual, forecast, np.array([2.0, 2.0])), [0.5, np.nan])
    np.testing.assert_array_equal(metrics.mase(actual, forecast, np.array([2.0, 2.0])), [0.5, np.nan])
