import numpy as np
import pytest
from statsforecast import models

from storecast.forecasting.panel import Panel
from storecast.forecasting.statistical import AutoARIMA, AutoETS

PAIRS = [
    pytest.param(AutoETS(), models.AutoETS(season_length=7, model="ZNZ"), id="auto_ets"),
    pytest.param(
        AutoARIMA(), models.AutoARIMA(season_length=7, approximation=True), id="auto_arima", marks=pytest.mark.slow
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_means_and_quantiles_are_those_of_statsforecast(ours, theirs, panel: Panel):
    row = panel.keys.get_loc(("fast", "shop"))
    ours = ours.clone().fit_panel(panel)
    answer = theirs.forecast(y=panel.units[row], h=14, level=[80, 90])
    np.testing.assert_allclose(ours.predict_panel(14)[row], np.maximum(answer["mean"], 0), rtol=1e-9)
    quantiles = ours.predict_quantiles_panel(14, (0.05, 0.1, 0.5, 0.9, 0.95))[row]
    names = ("lo-90", "lo-80", "mean", "hi-80", "hi-90")
    expected = np.stack([np.maximum(answer[name], 0) for name in names], axis=1)
    np.testing.assert_allclose(quantiles, expected, rtol=1e-9)


def test_only_the_latest_days_are_used(panel: Panel):
    rows = panel.first_day == 0
    short = panel.take(rows)
    recent = Panel(short.keys, short.times[-100:], short.units[:, -100:])
    np.testing.assert_array_equal(
        AutoETS(last_days=100).fit_panel(short).predict_panel(7), AutoETS().fit_panel(recent).predict_panel(7)
    )


@pytest.mark.slow
def test_processes_do_not_change_the_numbers(panel: Panel):
    many = panel.take(np.tile(np.flatnonzero(panel.first_day == 0), 20))
    np.testing.assert_array_equal(
        AutoETS(n_jobs=2).fit_panel(many).predict_panel(7), AutoETS(n_jobs=1).fit_panel(many).predict_panel(7)
    )
