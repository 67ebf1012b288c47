import numpy as np
import pandas as pd
import pytest

from storecast.forecasting.panel import Panel
from storecast.forecasting.prophet_panel import Prophet

pytestmark = pytest.mark.slow


def test_the_mean_is_that_of_prophet_itself(panel: Panel):
    from prophet import Prophet as MetaProphet

    row = panel.keys.get_loc(("fast", "shop"))
    model = MetaProphet(
        weekly_seasonality=True, yearly_seasonality=False, daily_seasonality=False, uncertainty_samples=0
    )
    model.fit(pd.DataFrame({"ds": panel.times, "y": panel.units[row]}), seed=5)
    expected = model.predict(pd.DataFrame({"ds": pd.date_range(panel.times[-1], periods=15)[1:]}))["yhat"]
    ours = Prophet(seed=5).fit_panel(panel.take(np.array([row]))).predict_panel(14)[0]
    np.testing.assert_allclose(ours, np.maximum(expected, 0), rtol=1e-9)
