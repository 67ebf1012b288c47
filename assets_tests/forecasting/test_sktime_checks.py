"""sktime's own checks of an estimator, on the forecasters that are cheap enough for its hundreds of fits."""

from importlib.util import find_spec

import pytest
from sktime.utils.estimator_checks import check_estimator

from storecast.forecasting.baselines import SeasonalNaive
from storecast.forecasting.global_xgboost import GlobalXGBoost
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.intermittent import ADIDA, Croston
from storecast.forecasting.lstm import GlobalLSTM
from storecast.forecasting.new_products import NewProductForecaster
from storecast.forecasting.reconciled_forecaster import ReconciledForecaster
from storecast.forecasting.smoothing import SimpleExponentialSmoothing
from storecast.forecasting.statistical import AutoETS
from storecast.forecasting.theta import Theta

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "forecaster",
    [
        SeasonalNaive,
        Croston,
        ADIDA,
        SimpleExponentialSmoothing,
        Theta,
        AutoETS,
        GlobalLightGBM,
        GlobalXGBoost,
        NewProductForecaster,
        ReconciledForecaster,
        pytest.param(GlobalLSTM, marks=pytest.mark.skipif(find_spec("keras") is None, reason="extra `deep` not here")),
    ],
)
def test_a_forecaster_passes_sktimes_checks(forecaster):
    results = check_estimator(forecaster, raise_exceptions=False, verbose=False)
    failed = {name: result for name, result in results.items() if result != "PASSED"}
    assert not failed
