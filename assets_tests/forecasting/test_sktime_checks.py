"""sktime's own checks of an estimator, on the forecasters that are cheap enough for its hundreds of fits."""

import pytest
from sktime.utils.estimator_checks import check_estimator

from storecast.forecasting.baselines import SeasonalNaive
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.intermittent import Croston
from storecast.forecasting.statistical import AutoETS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("forecaster", [SeasonalNaive, Croston, AutoETS, GlobalLightGBM])
def test_a_forecaster_passes_sktimes_checks(forecaster):
    results = check_estimator(forecaster, raise_exceptions=False, verbose=False)
    failed = {name: result for name, result in results.items() if result != "PASSED"}
    assert not failed
